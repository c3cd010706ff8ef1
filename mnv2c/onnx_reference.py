"""ONNX Runtime, the reference for every number; nothing else in the project may import it.

Since 1.32 it keeps an identifier of the machine in the user's cache, a database beside it, and looks up a host of its
makers as soon as it is imported, too early for its own ``disable_telemetry_events``. It reads one environment variable
first, which therefore is set here. Child processes inherit it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SILENT = {"ORT_DISABLE_TELEMETRY": "1"}
"""Set before ONNX Runtime is imported, whatever the user's environment says: mnv2c tells nobody that it ran."""

ERRORS_ONLY = 3


def session(model: bytes | Path, threads: int | None = None) -> Any:
    """Open a session on the CPU provider with all graph optimisations; ``threads`` is how many share an operator.

    ``model`` is a serialized model or the path of one. Raises what ONNX Runtime raises for a model it refuses.
    """
    os.environ.update(SILENT)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    content = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
