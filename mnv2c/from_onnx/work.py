"""How much a network would compute, checked before anything runs it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.limits import MAXIMUM_MADDS, MAXIMUM_TOTAL_ELEMENTS
from mnv2c.from_onnx.naming import node_name, quoted

if TYPE_CHECKING:
    import onnx

Sizes = Mapping[str, tuple[int, ...]]

EXTENTS_ONLY = frozenset({"Shape", "Size"})
"""Operators that look at nothing but the shape of their operand."""


def check_work(graph: onnx.GraphProto, shapes: Sizes) -> None:
    """Raise OnnxError for a network that computes more than any picture takes; ``shapes`` are those of all tensors."""
    elements = madds = 0
    for node in graph.node:
        elements += sum(prod(shapes[name]) for name in node.output if name in shapes)
        madds += _madds(node, shapes)
        if elements > MAXIMUM_TOTAL_ELEMENTS:
            raise OnnxError(
                f"{node_name(node)}: with it the network computes more than {MAXIMUM_TOTAL_ELEMENTS:,} elements"
            )
        if madds > MAXIMUM_MADDS:
            raise OnnxError(f"{node_name(node)}: with it the network takes more than {MAXIMUM_MADDS:,} multiply-adds")


def _madds(node: onnx.NodeProto, shapes: Sizes) -> int:
    """Multiply-adds of what multiplies, and comparisons of what looks at windows."""
    if not node.output or node.output[0] not in shapes or any(name and name not in shapes for name in node.input[:2]):
        return 0
    result = prod(shapes[node.output[0]])
    if node.op_type == "Conv":
        return result * prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":
        return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type in ("MatMul", "Gemm"):
        left = shapes[node.input[0]]
        turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return result * int(left[0 if turned else -1] if left else 1)
    if node.op_type in ("AveragePool", "MaxPool", "LpPool"):
        windows = [attribute.ints for attribute in node.attribute if attribute.name == "kernel_shape"]
        return result * int(prod(windows[0] if windows else []))
    return 0


def check_outputs(graph: onnx.GraphProto) -> None:
    """Raise OnnxError for an output that no input reaches: it is the same in every run."""
    reached = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type not in EXTENTS_ONLY and reached.intersection(filter(None, node.input)):
            reached.update(node.output)
    for value in graph.output:
        if value.name not in reached:
            raise OnnxError(
                f"the output {quoted(value.name)} is constant: no input reaches it; remove it from the model"
            )
