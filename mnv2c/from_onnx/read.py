"""Read an ONNX file of unknown origin: either a model that the compiler can take on, or one line that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.naming import one_line

if TYPE_CHECKING:
    import onnx

MAXIMUM_BYTES = 1_000_000_000
"""Of the file and its external data; far more than any classifier for a CPU, far less than fills a memory."""

MAXIMUM_ROUNDS = 64
"""Of folding shape computations, each of which may depend on the shapes that the one before made known."""


def read_onnx(path: Path) -> tuple[onnx.ModelProto, bytes]:
    """Return the model with static shapes inferred, and the self-contained file that is its reference.

    Raises OnnxError naming the file, and the node and operator at fault.
    """
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise OnnxError(f"{path}: {size:,} bytes; at most {MAXIMUM_BYTES:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise OnnxError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return parse_onnx(content, path.parent)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error}") from error.__cause__


def parse_onnx(content: bytes, folder: Path) -> tuple[onnx.ModelProto, bytes]:
    """``read_onnx`` of a file's content; external data are looked for in ``folder``."""
    import onnx

    try:
        model = onnx.load_model_from_string(content)
        changed = _prepare(model, folder)
        reference = model.SerializeToString(deterministic=True) if changed else content
        return _inferred(model), reference
    except OnnxError:
        raise
    # A damaged file may offend protobuf, onnx's C++ code or Python's own decoding; what each raises is its own affair.
    except Exception as error:
        raise OnnxError(f"not a valid ONNX file, or a truncated one: {one_line(error)}") from error


def _prepare(model: onnx.ModelProto, folder: Path) -> bool:
    """Check the model and make it self-contained and of batch 1; return whether it was changed."""
    import onnx.inliner

    from mnv2c.from_onnx.check import check_structure
    from mnv2c.from_onnx.external import inline_external_data
    from mnv2c.from_onnx.static import fix_batch

    changed = inline_external_data(model, folder, MAXIMUM_BYTES)
    if model.functions:
        model.CopyFrom(onnx.inliner.inline_local_functions(model))
        changed = True
    check_structure(model)
    onnx.checker.check_model(model)
    return fix_batch(model.graph) or changed


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its shape computations folded and every shape inferred."""
    from onnx import shape_inference

    from mnv2c.from_onnx.auto_pad import explicit_pads
    from mnv2c.from_onnx.fold import fold_shapes
    from mnv2c.from_onnx.static import check_inferred, forget_shapes, static_shapes

    forget_shapes(model.graph)
    for _ in range(MAXIMUM_ROUNDS):  # what one round computes gives the next one more shapes
        known = static_shapes(shape_inference.infer_shapes(model, data_prop=True).graph)
        if not fold_shapes(model, known):
            break
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    check_inferred(inferred.graph)
    explicit_pads(inferred.graph, static_shapes(inferred.graph))
    return inferred
