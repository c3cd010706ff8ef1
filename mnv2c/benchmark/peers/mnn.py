"""MNN: the ONNX file through its converter, float32."""

from __future__ import annotations

import numpy as np

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared, version


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

    def run() -> object:
        return module.forward([source])[0].read()

    return Prepared(run, lambda: np.array(run(), np.float32), version(MNN.__name__), keep=picture)
