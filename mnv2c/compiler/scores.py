"""What the numbers of an output say of classes: read from the graph, backwards from the output.

What only changes the shape of a tensor is looked through, so that a Softmax is found wherever it stands, also written
out as a quotient of exponentials and their sum. Where the graph does not tell that an output is scores of classes
(embeddings that are pooled or normalised, tanh), it is none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from mnv2c.compiler.graph import Backwards, attribute
from mnv2c.compiler.ranges import range_of
from mnv2c.frames.description import Scores

if TYPE_CHECKING:
    import onnx

DEPTH = 40
"""So many operators are followed back."""

ROUNDING = 1e-6


def scores_of(graph: onnx.GraphProto, output: str, opset: int = 13) -> Scores | None:
    """Return what kind of scores an output of a model with inferred shapes is; None where it is none."""
    return _Reader(Backwards(graph), opset).kind(output, DEPTH)


class _Reader:
    def __init__(self, graph: Backwards, opset: int) -> None:
        self.graph, self.opset = graph, opset
        self._found: dict[str, Scores | None] = {}

    def kind(self, name: str, depth: int) -> Scores | None:
        if name not in self._found:
            self._found[name] = self._kind(name, depth)
        return self._found[name]

    def _kind(self, name: str, depth: int) -> Scores | None:
        node = self.graph.maker(name)
        if node is None or depth == 0:
            return None
        rule = RULES.get(node.op_type)
        found = rule(self, node, depth - 1) if rule is not None else None
        if found is None:
            return Scores.INDEPENDENT if self._is_share(node) else None
        return found

    def softmax(self, node: onnx.NodeProto, depth: int) -> Scores:
        """Several groups, each with a sum of 1, are scores on their own."""
        return Scores.PROBABILITIES if self._is_over_all(node) else Scores.INDEPENDENT

    def _is_over_all(self, node: onnx.NodeProto) -> bool:
        """Whether a Softmax has all elements in one sum; before opset 13 it flattens from its axis on."""
        shape = self.graph.shape(node.input[0]) or self.graph.shape(node.output[0])
        if shape is None:
            return True
        axis = int(attribute(node, "axis", -1 if self.opset >= 13 else 1))
        together = shape[axis % max(len(shape), 1) :] if self.opset < 13 else shape[axis:][:1]
        return prod(together) == prod(shape)

    def linear(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        """A product with weights, of which every class has some of its own: not a filter per channel."""
        weighted = any(self.graph.is_constant(name) for name in node.input[:2])
        return Scores.LOGITS if weighted and int(attribute(node, "group", 1)) == 1 else None

    def shifted(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        """Sums and differences: biases, both halves of a split product, one number less for all, log of a softmax."""
        first, second = node.input
        if node.op_type == "Sub" and self._is_log_of_sum(second, first):
            return Scores.LOG_PROBABILITIES
        kinds = [self.kind(name, depth) for name in node.input]
        for kind, other, name in ((kinds[0], kinds[1], second), (kinds[1], kinds[0], first)):
            negated = name == first and node.op_type == "Sub"
            if kind is Scores.LOGITS and not negated and (other is Scores.LOGITS or self._is_shift(name)):
                return kind
            if kind in OWN_FROM and not negated and self._is_shift(name):
                return self._changed(node)
        return None

    def scaled(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        """Products and quotients: temperatures, percent, a softmax written out."""
        first, second = node.input
        if self._is_sum_of(second, first, node.op_type) or (
            node.op_type == "Mul" and self._is_sum_of(first, second, node.op_type)
        ):
            return Scores.PROBABILITIES
        for name, other in ((first, second), (second, first)) if node.op_type == "Mul" else ((first, second),):
            if self.graph.is_constant(other):
                kind = self.kind(name, depth)
                positive = range_of(self.graph, other)[0] > 0
                return kind if kind is Scores.LOGITS else self._changed(node) if kind in OWN_FROM and positive else None
        return None

    def clipped(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        """A clip far from any value changes nothing; one at 0 makes an activation."""
        kind = self.kind(node.input[0], depth)
        low, high = range_of(self.graph, node.output[0])
        if kind is Scores.LOGITS:
            return kind if low < 0 < high else None
        return kind

    def logarithm(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        kind = self.kind(node.input[0], depth)
        return Scores.LOG_PROBABILITIES if kind in (Scores.PROBABILITIES, Scores.INDEPENDENT) else None

    def power(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        kind = self.kind(node.input[0], depth)
        return Scores.PROBABILITIES if kind is Scores.LOG_PROBABILITIES else None

    def chosen(self, node: onnx.NodeProto, depth: int) -> Scores | None:
        """Some of the elements: their logits stay logits, their probabilities have another sum."""
        kind = self.kind(node.input[0], depth)
        return Scores.INDEPENDENT if kind is Scores.PROBABILITIES else kind

    def _changed(self, node: onnx.NodeProto) -> Scores:
        return Scores.INDEPENDENT if self._is_share(node) else Scores.OWN

    def _is_share(self, node: onnx.NodeProto) -> bool:
        """Whether every result lies between 0 and 1, but for rounding: 6 times the float32 next to 1/6 is more."""
        low, high = range_of(self.graph, node.output[0])
        return low >= -ROUNDING and high <= 1 + ROUNDING

    def _is_shift(self, name: str) -> bool:
        return self.graph.is_constant(name) or self.graph.elements(name) == 1

    def _is_sum_of(self, name: str, terms: str, operator: str) -> bool:
        """Whether ``name`` is the sum of all ``terms``, none negative, for a product its reciprocal.

        An addend or a clip may keep it from 0.
        """
        node = self.graph.maker(name)
        if operator == "Mul":
            if node is None or node.op_type not in ("Reciprocal", "Div"):
                return False
            return self._is_sum_of(node.input[-1], terms, "Div")
        for _ in range(2):
            if node is not None and node.op_type in ("Add", "Max", "Clip"):
                node = self.graph.maker(node.input[0]) or self.graph.maker(node.input[-1])
        summed = node is not None and node.op_type in ("ReduceSum", "ReduceL1")
        return summed and node is not None and self._is_reduction(node, terms) and range_of(self.graph, terms)[0] >= 0

    def _is_reduction(self, node: onnx.NodeProto, of: str) -> bool:
        same = self.graph.source(node.input[0]) == self.graph.source(of)
        return same and self.graph.elements(node.output[0]) == 1

    def _is_log_of_sum(self, name: str, of: str) -> bool:
        node = self.graph.maker(name)
        if node is not None and node.op_type == "ReduceLogSumExp":
            return self._is_reduction(node, of)
        total = self.graph.maker(node.input[0]) if node is not None and node.op_type == "Log" else None
        if total is None or total.op_type != "ReduceSum" or self.graph.elements(total.output[0]) != 1:
            return False
        powers = self.graph.maker(total.input[0])
        same = powers is not None and powers.op_type == "Exp"
        return same and powers is not None and self.graph.source(powers.input[0]) == self.graph.source(of)


OWN_FROM = (Scores.PROBABILITIES, Scores.INDEPENDENT, Scores.OWN)
"""Scores that, shifted or times a positive number, are scores still."""

Rule = Callable[[_Reader, Any, int], Scores | None]

RULES: dict[str, Rule] = {
    "Softmax": _Reader.softmax,
    "LogSoftmax": lambda reader, node, depth: Scores.LOG_PROBABILITIES,
    "Sigmoid": lambda reader, node, depth: Scores.INDEPENDENT,
    "HardSigmoid": lambda reader, node, depth: Scores.INDEPENDENT,
    "Gemm": _Reader.linear,
    "MatMul": _Reader.linear,
    "Conv": _Reader.linear,
    "Add": _Reader.shifted,
    "Sub": _Reader.shifted,
    "Mul": _Reader.scaled,
    "Div": _Reader.scaled,
    "Clip": _Reader.clipped,
    "Log": _Reader.logarithm,
    "Exp": _Reader.power,
    "Slice": _Reader.chosen,
    "Gather": _Reader.chosen,
}
"""What an operator makes of scores. What has no rule is none, unless all its values lie between 0 and 1."""
