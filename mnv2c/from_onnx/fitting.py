"""Whether the operands of a node fit each other, where onnx's own inference of shapes does not look."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.naming import node_name

if TYPE_CHECKING:
    import numpy as np
    import onnx

Shape = tuple[int, ...]


def check_fit(node: onnx.NodeProto, shapes: Mapping[str, Shape], values: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Raise OnnxError, naming node and operand, for what onnxruntime refuses and others would broadcast."""
    given = [shapes.get(name) if name else None for name in node.input]
    for index, wanted in _wanted(node, given).items():
        found = given[index] if index < len(given) else None
        if found is not None and found != wanted:
            raise OnnxError(
                f"{node_name(node)}: operand {index} has the shape {list(found)}, not {list(wanted)}; export it again"
            )
    _check_scalars(node, given)
    _check_slope(node, given)
    _check_reflection(node, given, values)
    _check_divisor(node, values)


def _wanted(node: onnx.NodeProto, given: list[Shape | None]) -> dict[int, Shape]:
    """The only shapes that operands may have."""
    data, weight, *_ = [*given, None, None]
    if node.op_type == "Conv" and weight:
        return {2: (weight[0],)}
    if node.op_type == "ConvTranspose" and weight is not None and len(weight) > 1:
        groups = next((entry.i for entry in node.attribute if entry.name == "group"), 1)
        return {2: (weight[1] * groups,)}
    if node.op_type == "InstanceNormalization" and data is not None and len(data) > 1:
        return {1: (data[1],), 2: (data[1],)}
    return {}


def _check_scalars(node: onnx.NodeProto, given: list[Shape | None]) -> None:
    """The bounds of a Clip are one number each."""
    for index, shape in enumerate(given[1:], 1) if node.op_type == "Clip" else ():
        if shape is not None and (len(shape) > 1 or prod(shape) != 1):
            raise OnnxError(f"{node_name(node)}: operand {index} has the shape {list(shape)}; a bound is one number")


def _check_slope(node: onnx.NodeProto, given: list[Shape | None]) -> None:
    """The slope of a PRelu is broadcast to the data, never the data to it."""
    if node.op_type != "PRelu" or len(given) < 2 or given[0] is None or given[1] is None:
        return
    data, slope = given[0], given[1]
    fits = len(slope) <= len(data) and all(
        there in (1, here) for here, there in zip(reversed(data), reversed(slope), strict=False)
    )
    if not fits:
        raise OnnxError(
            f"{node_name(node)}: its slope has the shape {list(slope)}, which does not become {list(data)}; export it"
        )


def _check_reflection(
    node: onnx.NodeProto, given: list[Shape | None], values: Mapping[str, np.ndarray[Any, Any]]
) -> None:
    """What is reflected lies within the image: a padding is less than the extent."""
    attributes = {entry.name: entry for entry in node.attribute}
    if node.op_type != "Pad" or "mode" not in attributes or attributes["mode"].s != b"reflect" or given[0] is None:
        return
    named = values.get(node.input[1]) if len(node.input) > 1 else None
    stated = list(attributes["pads"].ints) if "pads" in attributes else []
    pads = [int(pad) for pad in named.ravel()] if named is not None else stated
    rank = len(given[0])
    if len(pads) == 2 * rank and any(pad >= extent for pad, extent in zip(pads, given[0] * 2, strict=True)):
        raise OnnxError(f"{node_name(node)}: it reflects {max(pads)} places of an image of {list(given[0])}; pad less")


def _check_divisor(node: onnx.NodeProto, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Nothing is divided by a constant 0: of integers it ends the process, of floats it leaves no number."""
    index = {"Div": 1, "Mod": 1, "Reciprocal": 0}.get(node.op_type)
    divisor = values.get(node.input[index]) if index is not None and len(node.input) > index else None
    if divisor is None or divisor.all() or not (divisor.dtype.kind in "iu" or divisor.size == 1):
        return
    raise OnnxError(f"{node_name(node)}: it divides by the constant 0; export the model again")
