"""Shapes: the batch fixed to 1, everything else static, every tensor within the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.check import TYPES, check_extents
from mnv2c.from_onnx.naming import node_name, quoted
from mnv2c.from_onnx.operators import ONLY_FOLDED

if TYPE_CHECKING:
    import onnx

PORT_TYPES = TYPES[:4]
"""Element types of inputs and outputs that C programs can hand over."""


def inputs_of(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that the caller supplies: old files list their weights among the inputs, too."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def fix_batch(graph: onnx.GraphProto) -> bool:
    """Set a symbolic first dimension of every input to 1; return whether there was one.

    OnnxError for any other symbolic dimension, naming input and remedy, and for a batch that is fixed to more.
    """
    changed = False
    inputs = inputs_of(graph)
    if not inputs:
        raise OnnxError("it has no input")
    for value in inputs:
        name = quoted(value.name)
        check_type("input", value)
        if not value.type.tensor_type.HasField("shape"):
            raise OnnxError(f"input {name} has no shape; export the model with a fixed input size")
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].HasField("dim_value"):
            dimensions[0].dim_value = 1
            changed = True
        for axis, dimension in enumerate(dimensions):
            if not dimension.HasField("dim_value"):
                symbol = quoted(dimension.dim_param) if dimension.dim_param else "unknown"
                raise OnnxError(
                    f"input {name}: dimension {axis} is dynamic ({symbol}); export the model with a fixed input size "
                    f"(only the batch, dimension 0, may be dynamic)"
                )
        extents = [dimension.dim_value for dimension in dimensions]
        check_extents(name, extents)
        if len(extents) == 4 and extents[0] != 1:
            raise OnnxError(f"input {name} has the fixed batch {extents[0]}; export the model with batch 1")
    return changed


def forget_shapes(graph: onnx.GraphProto) -> None:
    """Remove what the file says of inner shapes, so that only what is inferred counts."""
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def static_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors whose every dimension is known."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(entry.HasField("dim_value") for entry in tensor.shape.dim):
            shapes[value.name] = tuple(entry.dim_value for entry in tensor.shape.dim)
    return shapes


def check_type(role: str, value: onnx.ValueInfoProto) -> None:
    """Raise OnnxError unless an input or output is a tensor of a type that C programs can hand over."""
    from onnx import TensorProto

    if not value.type.HasField("tensor_type"):
        raise OnnxError(f"{role} {quoted(value.name)} is no tensor")
    number = value.type.tensor_type.elem_type
    kind = TensorProto.DataType.Name(number) if number in TensorProto.DataType.values() else str(number)
    if kind not in PORT_TYPES:
        raise OnnxError(f"{role} {quoted(value.name)} is of type {kind}; export the model in float32")


def check_inferred(graph: onnx.GraphProto) -> None:
    """Raise OnnxError, naming the node, unless every tensor got a static shape within the limits and a known type."""
    from onnx import TensorProto

    known = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    for node in graph.node:
        if node.op_type in ONLY_FOLDED:
            raise OnnxError(f"{node_name(node)}: its operands are not constant, which is not supported")
        for name in filter(None, node.output):
            if name not in known:
                if name != node.output[0]:
                    continue  # the mask of a Dropout, statistics of a BatchNormalization
                raise OnnxError(f"{node_name(node)}: the shape of its result is unknown before it runs")
            tensor = known[name].tensor_type
            if tensor.elem_type not in [TensorProto.DataType.Value(kind) for kind in TYPES]:
                raise OnnxError(f"{node_name(node)}: its result is not float32; export the model in float32")
            if not tensor.HasField("shape") or not all(entry.HasField("dim_value") for entry in tensor.shape.dim):
                raise OnnxError(f"{node_name(node)}: the shape of its result is unknown before it runs")
            check_extents(quoted(name), [entry.dim_value for entry in tensor.shape.dim], least=0)
    for value in graph.output:
        check_type("output", value)
        check_extents(quoted(value.name), [entry.dim_value for entry in value.type.tensor_type.shape.dim])
