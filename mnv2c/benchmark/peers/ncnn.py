"""ncnn: the ONNX file converted by pnnx, without 16-bit storage or arithmetic."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared, together, version

if TYPE_CHECKING:
    from numpy.typing import NDArray


def convert(job: Job) -> None:
    """Write MODEL.ncnn.param and MODEL.ncnn.bin; pnnx itself is not imported, for that would need torch."""
    import onnx

    if any(node.op_type == "ArgMax" for node in onnx.load(job.model).graph.node):
        raise UnavailableError(
            "has no argmax over the channels of a pixel (its ArgMax takes the largest values of a whole tensor); "
            'compile the segmenter with output = "logits" to compare what comes before'
        )
    package = find_spec("pnnx")
    if package is None or not package.submodule_search_locations:
        raise UnavailableError("not installed: pnnx; pip install pnnx")
    model = job.model
    program = Path(package.submodule_search_locations[0]) / "pnnx"
    done = subprocess.run(
        [str(program), model.name, "fp16=0"], cwd=model.parent, capture_output=True, text=True, check=False
    )
    if not model.with_suffix(".ncnn.bin").is_file():
        raise UnavailableError(f"pnnx cannot convert the model: {(done.stderr.splitlines() or ['no message'])[-1]}")


def load(job: Job) -> Prepared:
    """Load the converted model."""
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = job.threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    network.opt.use_bf16_storage = False
    network.load_param(str(job.model.with_suffix(".ncnn.param")))
    network.load_model(str(job.model.with_suffix(".ncnn.bin")))
    array = job.picture()[0]  # its matrices have no batch
    picture = ncnn.Mat(array)
    source, results = network.input_names()[0], network.output_names()

    def run() -> list[Any]:
        extractor = network.create_extractor()
        extractor.input(source, picture)
        return [extractor.extract(name)[1] for name in results]  # it computes what is asked for only

    def output() -> NDArray[Any]:
        return together([np.array(value, np.float32)[None] for value in run()])

    return Prepared(run, output, version("ncnn"), keep=array)
