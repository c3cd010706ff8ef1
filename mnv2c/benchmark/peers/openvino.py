"""OpenVINO: the ONNX file, float32, one stream for latency."""

from __future__ import annotations

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together, version


def load(job: Job) -> Prepared:
    """Compile the model for the CPU."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": job.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    request = core.compile_model(core.read_model(str(job.model)), "CPU", settings).create_infer_request()
    picture = job.picture()
    request.set_input_tensor(openvino.Tensor(picture, shared_memory=True))
    return Prepared(
        run=request.infer,
        output=lambda: together([tensor.data for tensor in request.output_tensors]),
        version=version("openvino"),
        keep=picture,
    )
