"""ONNX Runtime: the ONNX file, all graph optimisations, input and output bound once."""

from __future__ import annotations

from mnv2c.benchmark.job import Job
from mnv2c.benchmark.peers.base import Prepared, together, version


def load(job: Job) -> Prepared:
    """Open a session on the CPU provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(job.model), options, providers=["CPUExecutionProvider"])
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
