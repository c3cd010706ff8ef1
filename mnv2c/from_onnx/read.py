"""Read an ONNX file of unknown origin: either a model that the compiler can take on, or one line that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.input_shapes import Shapes
from mnv2c.from_onnx.limits import MAXIMUM_BYTES
from mnv2c.from_onnx.naming import one_line

if TYPE_CHECKING:
    import onnx

NONE: Shapes = {}


def read_onnx(path: Path, shapes: Shapes = NONE) -> tuple[onnx.ModelProto, bytes]:
    """Return the model with static shapes inferred, and the self-contained file that is its reference.

    ``shapes`` are those of inputs that the file leaves open (`mnv2c.from_onnx.input_shapes`). Raises OnnxError naming
    the file, and the node and operator at fault; UserError for shapes that do not fit.
    """
    try:
        if path.exists() and not path.is_file():
            raise OnnxError(f"{path}: it is no file; give one")
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise OnnxError(f"{path}: {size:,} bytes; at most {MAXIMUM_BYTES:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise OnnxError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return parse_onnx(content, path.parent, shapes)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error}") from error.__cause__


def parse_onnx(content: bytes, folder: Path, shapes: Shapes = NONE) -> tuple[onnx.ModelProto, bytes]:
    """``read_onnx`` of a file's content; external data are looked for in ``folder``."""
    import onnx

    from mnv2c.errors import UserError
    from mnv2c.from_onnx.wire import check_size

    try:
        check_size(content)
        model = onnx.load_model_from_string(content)
        changed = _prepare(model, folder, shapes)
        reference = model.SerializeToString(deterministic=True) if changed else content
        return _inferred(model), reference
    except (UserError, NameError, AttributeError, AssertionError):  # the last three are mistakes of ours
        raise
    # A damaged file may offend protobuf, onnx's C++ code or Python's own decoding; what each raises is its own affair.
    except Exception as error:
        raise OnnxError(f"not a valid ONNX file, or a truncated one: {one_line(error)}") from error


def _prepare(model: onnx.ModelProto, folder: Path, shapes: Shapes) -> bool:
    """Check the model and make it self-contained, plain and of fixed inputs; return whether it was changed."""
    from mnv2c.from_onnx.check import check_outline, check_structure
    from mnv2c.from_onnx.external import inline_external_data
    from mnv2c.from_onnx.functions import inline_functions
    from mnv2c.from_onnx.plain import make_plain
    from mnv2c.from_onnx.static import fix_shapes
    from mnv2c.from_onnx.work import check_outputs

    check_outline(model)
    changed = inline_external_data(model, folder, MAXIMUM_BYTES)
    changed |= inline_functions(model)
    changed |= make_plain(model)
    check_structure(model)
    changed |= fix_shapes(model.graph, shapes)
    check_outputs(model.graph)
    _check_by_onnx(model)
    return changed


def _check_by_onnx(model: onnx.ModelProto) -> None:
    """Let onnx check what its specification says of every operator; outputs need no shape, they are inferred."""
    import onnx
    from onnx import TensorProto

    stated = type(model.graph)()
    stated.output.extend(model.graph.output)
    for value in model.graph.output:
        tensor = value.type.tensor_type
        tensor.elem_type = tensor.elem_type or TensorProto.FLOAT
        tensor.shape.SetInParent()
    onnx.checker.check_model(model)
    model.graph.ClearField("output")
    model.graph.output.extend(stated.output)


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its shape computations folded and every shape inferred."""
    from mnv2c.from_onnx.infer import infer
    from mnv2c.from_onnx.work import check_work

    check_work(model.graph, infer(model))
    return model
