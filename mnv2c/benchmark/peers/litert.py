"""LiteRT with XNNPACK: the reference module converted by litert-torch, pictures as NHWC."""

from __future__ import annotations

import contextlib
import sys

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, version


def prepare(job: Job) -> Prepared:
    """Convert the module built from the library's spec and weights; UnavailableError where there is no spec."""
    weights = job.weights()
    import litert_torch
    import torch
    from ai_edge_litert.interpreter import Interpreter

    from mnv2c.reference import Classifier, load_weights
    from mnv2c.spec import from_toml

    picture = job.library_inputs()[0]
    network = load_weights(Classifier(from_toml(job.spec), "nhwc"), weights)
    path = str(job.folder / "model.tflite")
    with contextlib.redirect_stdout(sys.stderr):
        litert_torch.convert(network, (torch.from_numpy(picture),)).export(path)
    interpreter = Interpreter(model_path=path, num_threads=job.threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    result = interpreter.get_output_details()[0]["index"]
    return Prepared(
        run=interpreter.invoke,
        output=lambda: interpreter.get_tensor(result),
        version=version("ai-edge-litert"),
        keep=picture,
    )
