"""ONNX Runtime: the ONNX file, all graph optimisations, input and output bound once."""

from __future__ import annotations

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together, version
from mnv2c.verification import onnx_reference


def load(job: Job) -> Prepared:
    """Open a session on the CPU provider."""
    session = onnx_reference.session(job.model, job.threads)
    binding = session.io_binding()
    picture = job.picture()
    binding.bind_cpu_input(session.get_inputs()[0].name, picture)
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    return Prepared(
        run=lambda: session.run_with_iobinding(binding),
        output=lambda: together(binding.copy_outputs_to_cpu()),
        version=version("onnxruntime"),
        keep=picture,
    )
