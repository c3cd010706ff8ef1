"""Between which two numbers the elements of a tensor lie, whatever the input is."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, isfinite, isnan
from typing import TYPE_CHECKING

from mnv2c.compiler.graph import Backwards, attribute

if TYPE_CHECKING:
    import onnx

Range = tuple[float, float]
ANY: Range = (-inf, inf)

FIXED: dict[str, Range] = {
    "Sigmoid": (0, 1), "HardSigmoid": (0, 1), "Softmax": (0, 1), "Hardmax": (0, 1), "LogSoftmax": (-inf, 0),
    "Tanh": (-1, 1), "Softsign": (-1, 1), "Erf": (-1, 1), "Sin": (-1, 1), "Cos": (-1, 1), "Sign": (-1, 1),
    "Softplus": (0, inf), "Sqrt": (0, inf), "ReduceL1": (0, inf), "ReduceL2": (0, inf), "ReduceSumSquare": (0, inf),
}  # fmt: skip
"""Operators whose results lie in a range whatever their operands are."""

KEEPS = frozenset(
    {"MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceMax", "ReduceMin"}
    | {"Slice", "Gather", "Split", "TopK", "Expand", "Tile"}
)
"""Operators whose results lie between the least and the largest element of their first operand.

An AveragePool that counts its zero padding adds 0 to the range.
"""

DEPTH = 40
"""So many operators are followed back."""


def range_of(graph: Backwards, name: str, depth: int = DEPTH) -> Range:
    """Return (least, largest), infinite where nothing is known."""
    if name not in graph.ranges:
        graph.ranges[name] = _range(graph, name, depth)
    return graph.ranges[name]


def _range(graph: Backwards, name: str, depth: int) -> Range:
    constant = graph.constant(name)
    if constant is not None and constant.size and constant.dtype.kind in "fiu":
        return float(constant.min()), float(constant.max())
    source = graph.source(name)
    node = graph.makers.get(source)
    if node is None or depth == 0 or not node.input:
        return ANY
    if node.op_type in FIXED:
        return FIXED[node.op_type]
    operands = [range_of(graph, operand, depth - 1) for operand in node.input if operand]
    if node.op_type in KEEPS:
        least, largest = operands[0]
        return (min(least, 0.0), max(largest, 0.0)) if node.op_type == "AveragePool" else (least, largest)
    if node.op_type == "Clip":
        return _clipped(graph, node, operands[0], depth)
    rule = RULES.get(node.op_type)
    found = ANY if rule is None else rule(operands)
    return ANY if any(map(isnan, found)) else found


def _clipped(graph: Backwards, node: onnx.NodeProto, value: Range, depth: int) -> Range:
    """The bounds are inputs since opset 11, attributes before."""
    low, high = float(attribute(node, "min", -inf)), float(attribute(node, "max", inf))
    if len(node.input) > 1 and node.input[1]:
        low = range_of(graph, node.input[1], depth - 1)[0]
    if len(node.input) > 2 and node.input[2]:
        high = range_of(graph, node.input[2], depth - 1)[1]
    return min(max(value[0], low), high), max(min(value[1], high), low)


def _product(operands: list[Range]) -> Range:
    (a, b), (c, d) = operands
    if not all(map(isfinite, (a, b, c, d))):
        return (0.0, inf) if min(a, c) >= 0 else ANY
    ends = [a * c, a * d, b * c, b * d]
    return min(ends), max(ends)


def _quotient(operands: list[Range]) -> Range:
    (a, b), (c, d) = operands
    if c > 0 and a >= 0:
        return (a / d if isfinite(d) and isfinite(a) else 0.0), (b / c if isfinite(b) else inf)
    return _product([(a, b), (1 / c, 1 / c)]) if c == d and c != 0 else ANY


def _extremes(choose: Callable[..., float]) -> Callable[[list[Range]], Range]:
    return lambda operands: (choose(low for low, _ in operands), choose(high for _, high in operands))


def _exp(value: float) -> float:
    return exp(value) if value < 700 else inf


RULES: dict[str, Callable[[list[Range]], Range]] = {
    "Add": lambda of: (of[0][0] + of[1][0], of[0][1] + of[1][1]),
    "Sub": lambda of: (of[0][0] - of[1][1], of[0][1] - of[1][0]),
    "Neg": lambda of: (-of[0][1], -of[0][0]),
    "Mul": _product,
    "Div": _quotient,
    "Reciprocal": lambda of: _quotient([(1.0, 1.0), of[0]]),
    "Relu": lambda of: (max(of[0][0], 0.0), max(of[0][1], 0.0)),
    "Abs": lambda of: (max(of[0][0], -of[0][1], 0.0), max(of[0][1], -of[0][0])),
    "Exp": lambda of: (_exp(of[0][0]), _exp(of[0][1])),
    "Max": _extremes(max),
    "Min": _extremes(min),
    "Concat": lambda of: (min(low for low, _ in of), max(high for _, high in of)),
    "ReduceSum": lambda of: (0.0 if of[0][0] >= 0 else -inf, 0.0 if of[0][1] <= 0 else inf),
}
"""How the range of a result follows from the operands'."""
