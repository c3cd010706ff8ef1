"""ncnn: the ONNX file converted by pnnx, without 16-bit storage or arithmetic."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared, version


def convert(job: Job) -> None:
    """Write MODEL.ncnn.param and MODEL.ncnn.bin; pnnx itself is not imported, for that would need torch."""
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
    source, result = network.input_names()[0], network.output_names()[0]

    def run() -> object:
        extractor = network.create_extractor()
        extractor.input(source, picture)
        return extractor.extract(result)[1]

    return Prepared(run, lambda: np.array(run(), np.float32)[None], version("ncnn"), keep=array)
