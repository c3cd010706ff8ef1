"""MNN: the ONNX file through its converter, float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared, together, version

if TYPE_CHECKING:
    from numpy.typing import NDArray


def convert(job: Job) -> None:
    """Write MODEL.mnn."""
    import _tools  # the converter, a module of the MNN wheel

    converted = job.model.with_suffix(".mnn")
    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", str(job.model), "--MNNModel", str(converted), "--bizCode", "bench"]
    )
    if not converted.is_file():
        raise UnavailableError("its converter cannot convert the model")


def load(job: Job) -> Prepared:
    """Load the converted model."""
    import MNN
    from MNN import expr, nn

    picture = job.picture()
    manager = nn.create_runtime_manager(({"backend": 0, "numThread": job.threads, "precision": "high"},))
    # Without names of inputs and outputs it takes those of the model.
    module = nn.load_module_from_file(str(job.model.with_suffix(".mnn")), [], [], runtime_manager=manager)
    source = expr.const(picture, list(picture.shape), expr.data_format.NCHW)

    def run() -> list[Any]:
        return [value.read() for value in module.forward([source])]

    def output() -> NDArray[Any]:
        return together([np.array(value, np.float32) for value in run()])

    return Prepared(run, output, version(MNN.__name__), keep=picture)
