"""MNN: the ONNX file through its converter, float32."""

from __future__ import annotations

import numpy as np

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared, version


def prepare(job: Job) -> Prepared:
    """Convert and load the model."""
    import _tools  # the converter, a module of the MNN wheel
    import MNN
    from MNN import expr, nn
    from onnx import load_model

    converted = job.model.with_suffix(".mnn")
    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", str(job.model), "--MNNModel", str(converted), "--bizCode", "bench"]
    )
    if not converted.is_file():
        raise UnavailableError("its converter cannot convert the model")
    graph = load_model(job.model, load_external_data=False).graph
    picture = job.picture()
    manager = nn.create_runtime_manager(({"backend": 0, "numThread": job.threads, "precision": "high"},))
    module = nn.load_module_from_file(
        str(converted), [graph.input[0].name], [graph.output[0].name], runtime_manager=manager
    )
    source = expr.const(picture, list(picture.shape), expr.data_format.NCHW)

    def run() -> object:
        return module.forward([source])[0].read()

    return Prepared(run, lambda: np.array(run(), np.float32), version(MNN.__name__), keep=picture)
