"""Shapes: the batch fixed to 1, everything else static, every tensor within the limits."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx import remedies
from mnv2c.from_onnx.check import TYPES
from mnv2c.from_onnx.extents import check_extents
from mnv2c.from_onnx.input_shapes import Shapes, set_shapes
from mnv2c.from_onnx.limits import MAXIMUM_EXTENT, MAXIMUM_RANK
from mnv2c.from_onnx.naming import node_name, quoted, type_name
from mnv2c.from_onnx.operators import SHAPE_OPERANDS

if TYPE_CHECKING:
    import onnx

MOST_NUMBERS = 2 * MAXIMUM_RANK
"""In an operand that says something of every dimension, or of both of its ends."""

PORT_TYPES = TYPES[:4]
"""Element types of inputs and outputs that C programs can hand over."""


def fix_shapes(graph: onnx.GraphProto, given: Shapes) -> bool:
    """Set the shapes of the inputs to those given, and an open first dimension to 1; return whether any was changed.

    Open is what has no number, -1 or 0. OnnxError for any other open dimension, naming input and option, and for a
    batch that is fixed to more; UserError for a given shape that does not fit.
    """
    if not graph.input:
        raise OnnxError("it has no input")
    for value in graph.input:
        check_type("input", value)
    changed = set_shapes(graph.input, given)
    for value in graph.input:
        name = quoted(value.name)
        if not value.type.tensor_type.HasField("shape"):
            raise OnnxError(f"input {name} has no shape; give it with --input-shape {_example(graph, value)}")
        dimensions = value.type.tensor_type.shape.dim
        if len(dimensions) > MAXIMUM_RANK:
            check_extents(name, [1] * len(dimensions))
        if dimensions and _is_open(dimensions[0]):
            dimensions[0].dim_value = 1
            changed = True
        for axis, dimension in enumerate(dimensions):
            if _is_open(dimension):
                symbol = f" ({quoted(dimension.dim_param)})" if dimension.dim_param else ""
                raise OnnxError(
                    f"input {name}: dimension {axis} is dynamic{symbol}; say how large it is with --input-shape "
                    f"{_example(graph, value)}"
                )
        extents = [dimension.dim_value for dimension in dimensions]
        check_extents(name, extents)
        if len(extents) == 4 and extents[0] != 1:
            raise OnnxError(f"input {name} has the fixed batch {extents[0]}; export the model with batch 1")
    return changed


def _is_open(dimension: onnx.TensorShapeProto.Dimension) -> bool:
    return not dimension.HasField("dim_value") or dimension.dim_value in (-1, 0)


def _example(graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> str:
    """Return what the user might give for an input: its fixed dimensions, 1 image, and 224 for what is open."""
    dimensions = value.type.tensor_type.shape.dim
    known = [str(224 if _is_open(entry) else entry.dim_value) for entry in dimensions] or ["1", "3", "224", "224"]
    if dimensions and _is_open(dimensions[0]):
        known[0] = "1"
    plain = value.name.isascii() and value.name.replace("_", "a").replace(".", "a").isalnum()
    name = value.name if plain else "NAME"
    return ",".join(known) if len(graph.input) == 1 else f"{name}={','.join(known)}"


def check_type(role: str, value: onnx.ValueInfoProto) -> None:
    """Raise OnnxError unless an input or output is a tensor of a type that C programs can hand over."""
    if not value.type.HasField("tensor_type"):
        raise OnnxError(f"{role} {quoted(value.name)} is no tensor")
    kind = type_name(value.type.tensor_type.elem_type)
    if kind not in PORT_TYPES:
        raise OnnxError(f"{role} {quoted(value.name)} is of type {kind}; {remedies.of_type(kind)}")


def check_operands(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise OnnxError for numbers that would make a shape that no 64 bits hold, or one of too many dimensions."""
    import numpy as np
    from onnx import numpy_helper

    for index in SHAPE_OPERANDS.get(node.op_type, ()):
        name = node.input[index] if index < len(node.input) else ""
        count = prod(shapes.get(name, ()))
        if count > MOST_NUMBERS:
            raise OnnxError(f"{node_name(node)}: operand {index} holds {count:,} numbers, for too many dimensions")
        if name not in constants:
            continue
        values = numpy_helper.to_array(constants[name])
        if values.size and not (np.abs(values.astype(np.float64)) <= MAXIMUM_EXTENT).all():
            raise OnnxError(f"{node_name(node)}: operand {index} holds more than {MAXIMUM_EXTENT:,}")


def check_result(node: onnx.NodeProto, name: str, found: onnx.TypeProto) -> None:
    """Raise OnnxError unless a result has a static shape within the limits and a known type."""
    if not found.HasField("tensor_type"):
        raise OnnxError(f"{node_name(node)}: its result is no tensor, which is not supported")
    tensor = found.tensor_type
    kind = type_name(tensor.elem_type)
    if kind not in TYPES:
        raise OnnxError(f"{node_name(node)}: its result is of type {kind}; {remedies.of_type(kind)}")
    if not tensor.HasField("shape") or not all(entry.HasField("dim_value") for entry in tensor.shape.dim):
        raise OnnxError(f"{node_name(node)}: the shape of its result is unknown before it runs")
    check_extents(quoted(name), [entry.dim_value for entry in tensor.shape.dim], least=0)


def check_ports(graph: onnx.GraphProto) -> None:
    """Raise OnnxError for an output that C programs cannot take."""
    for value in graph.output:
        check_type("output", value)
        check_extents(quoted(value.name), [entry.dim_value for entry in value.type.tensor_type.shape.dim])
