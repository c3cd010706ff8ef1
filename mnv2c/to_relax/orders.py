"""In which order a file stores its images: ONNX convolves NCHW, so an NHWC input or output passes a transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

POINTWISE = frozenset({"Add", "Cast", "Clip", "Div", "Identity", "Max", "Min", "Mul", "Sub", "Sigmoid", "Relu"})
"""Operators that leave the order as it is."""

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def port_orders(graph: onnx.GraphProto) -> dict[str, str]:
    """Return "NCHW" or "NHWC" for every input and output of four dimensions."""
    orders = {}
    for value in (*graph.input, *graph.output):
        if len(value.type.tensor_type.shape.dim) == 4:
            is_input = any(value.name == entry.name for entry in graph.input)
            turned = _reaches(graph, value.name, TO_NCHW) if is_input else _comes_from(graph, value.name)
            orders[value.name] = "NHWC" if turned else "NCHW"
    return orders


def _reaches(graph: onnx.GraphProto, name: str, permutation: list[int]) -> bool:
    """Whether the first operator that is not element-wise transposes ``name`` so."""
    for node in graph.node:
        if name in node.input:
            if node.op_type not in POINTWISE:
                return _permutation(node) == permutation
            name = node.output[0]
    return False


def _comes_from(graph: onnx.GraphProto, name: str) -> bool:
    """Whether the last operator that is not element-wise transposed ``name`` to NHWC."""
    for node in reversed(graph.node):
        if name in node.output:
            if node.op_type not in POINTWISE:
                return _permutation(node) == TO_NHWC
            name = node.input[0]
    return False


def _permutation(node: onnx.NodeProto) -> list[int]:
    if node.op_type != "Transpose":
        return []
    return next((list(entry.ints) for entry in node.attribute if entry.name == "perm"), [])
