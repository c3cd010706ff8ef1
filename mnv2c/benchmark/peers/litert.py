"""LiteRT with XNNPACK: the reference module converted by litert-torch, pictures as NHWC."""

from __future__ import annotations

import contextlib
import sys

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together, version


def convert(job: Job) -> None:
    """Write MODEL.tflite from the library's spec and weights; UnavailableError where there is no spec."""
    weights = job.weights()
    import litert_torch
    import torch

    from mnv2c.learning.reference import build, load_weights
    from mnv2c.spec import from_toml

    network = load_weights(build(from_toml(job.spec), "nhwc"), weights)
    with contextlib.redirect_stdout(sys.stderr):
        converted = litert_torch.convert(network, (torch.from_numpy(job.library_inputs()[0]),))
        converted.export(str(job.model.with_suffix(".tflite")))


def load(job: Job) -> Prepared:
    """Load the converted model."""
    from ai_edge_litert.interpreter import Interpreter

    picture = job.library_inputs()[0]
    interpreter = Interpreter(model_path=str(job.model.with_suffix(".tflite")), num_threads=job.threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    results = [tensor["index"] for tensor in interpreter.get_output_details()]
    return Prepared(
        run=interpreter.invoke,
        output=lambda: together([interpreter.get_tensor(result) for result in results]),
        version=version("ai-edge-litert"),
        keep=picture,
    )
