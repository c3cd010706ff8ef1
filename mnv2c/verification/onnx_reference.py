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

NOTHING_BUT_CRASHES = 4
"""What is logged: an error is raised, too, and becomes one line of ours."""


def session(model: bytes | Path, threads: int | None = None) -> Any:
    """Open a session on the CPU provider; ``threads`` is how many share an operator.

    ``model`` is a serialized model or the path of one. All graph optimisations are on, unless they spoil the graph:
    some versions lose a tensor that is both fused and an output. Raises what ONNX Runtime does for a model it refuses.
    """
    os.environ.update(SILENT)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = NOTHING_BUT_CRASHES
    if threads is not None:
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    content = model if isinstance(model, bytes) else str(model)
    how: dict[str, Any] = {"providers": ["CPUExecutionProvider"], "enable_fallback": 0}
    try:
        return onnxruntime.InferenceSession(content, options, **how)
    except Exception:  # RuntimeError among others; what is wrong with the model itself is raised again below
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(content, options, **how)
