"""An ONNX graph read backwards: what makes a tensor, which tensors are constants, and through what is only shape."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

MOST_CONSTANT = 1 << 16
"""Elements of the largest constant whose values are looked at."""

SHAPE_ONLY = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Dropout"})
"""Operators that keep every value of their first operand, in whatever shape and order."""

FLOATS = frozenset({1, 10, 11, 16})
"""TensorProto's float32, float16, float64 and bfloat16: a Cast between them keeps what numbers mean."""

NEUTRAL = {"Mul": 1.0, "Div": 1.0, "Pow": 1.0, "Add": 0.0, "Sub": 0.0}
"""The second operand with which an operator leaves the first one as it is."""

NUMBERS = frozenset({"value_float", "value_floats", "value_int", "value_ints"})
"""Attributes in which a Constant may have numbers instead of a tensor."""

COMMUTATIVE = frozenset({"Mul", "Add"})


class Backwards:
    """The graph of a checked ONNX model whose shapes are inferred."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self.makers = {name: node for node in graph.node for name in node.output if name}
        self.ranges: dict[str, tuple[float, float]] = {}
        """What `ranges.range_of` has found, so that it visits every tensor once."""

    def maker(self, name: str) -> onnx.NodeProto | None:
        """The node whose first result is ``name``, behind all that keeps every value; None for what no node makes."""
        node = self.makers.get(self.source(name))
        return node if node is not None and node.output[0] == self.source(name) else None

    def source(self, name: str) -> str:
        """The tensor whose values ``name`` holds, looked for through operators that change none of them."""
        while (before := self._same_as(name)) is not None:
            name = before
        return name

    def _same_as(self, name: str) -> str | None:
        node = self.makers.get(name)
        if node is None or not node.input or node.output[0] != name:
            return None
        if node.op_type in SHAPE_ONLY or (node.op_type == "Cast" and attribute(node, "to", 0) in FLOATS):
            return str(node.input[0])
        if node.op_type in ("Concat", "Sum", "Mean", "Max", "Min") and len(node.input) == 1:
            return str(node.input[0])
        if node.op_type in NEUTRAL and len(node.input) == 2:
            operands = [(0, 1), (1, 0)] if node.op_type in COMMUTATIVE else [(0, 1)]
            for kept, other in operands:
                if self._is_all(node.input[other], NEUTRAL[node.op_type]) and self._fills(node, kept):
                    return str(node.input[kept])
        return None

    def _is_all(self, name: str, value: float) -> bool:
        constant = self.constant(name)
        return constant is not None and constant.size > 0 and bool((constant == value).all())

    def _fills(self, node: onnx.NodeProto, operand: int) -> bool:
        """Whether an operand has as many elements as the result: a constant may be the larger one."""
        sizes = [self.elements(name) for name in (node.input[operand], node.output[0])]
        return None not in sizes and sizes[0] == sizes[1]

    def constant(self, name: str) -> np.ndarray[Any, Any] | None:
        """The values of a tensor that is constant and not too large; None for others."""
        if name not in self._constants:
            made = self.makers.get(name)
            alike = made is not None and made.op_type in (*SHAPE_ONLY, "Cast") and len(made.input) > 0
            return self.constant(made.input[0]) if alike and made is not None else None
        from onnx import numpy_helper

        tensor = self._constants[name]
        return numpy_helper.to_array(tensor) if prod(tensor.dims) <= MOST_CONSTANT else None

    def is_constant(self, name: str) -> bool:
        """Whether a tensor does not depend on the inputs, as far as that shows at once."""
        made = self.makers.get(name)
        if made is not None and made.op_type in (*SHAPE_ONLY, "Cast") and made.input:
            return self.is_constant(made.input[0])
        return name in self._constants

    @cached_property
    def _constants(self) -> dict[str, onnx.TensorProto]:
        from onnx import helper, numpy_helper

        found = {tensor.name: tensor for tensor in self._graph.initializer}
        for node in self._graph.node:
            for entry in node.attribute if node.op_type == "Constant" else ():
                if entry.name == "value":
                    found[node.output[0]] = entry.t
                elif entry.name in NUMBERS:
                    found[node.output[0]] = numpy_helper.from_array(np.array(helper.get_attribute_value(entry)))
        return found

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The static shape of a tensor, if it is known."""
        return self._shapes.get(name)

    def elements(self, name: str) -> int | None:
        """How many elements a tensor has, if that is known."""
        shape = self.shape(name)
        return None if shape is None else prod(shape)

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {name: tuple(tensor.dims) for name, tensor in self._constants.items()}
        for value in (*self._graph.value_info, *self._graph.input, *self._graph.output):
            dims = value.type.tensor_type.shape.dim
            if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
                found[value.name] = tuple(dim.dim_value for dim in dims)
        return found


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or the default."""
    from onnx import helper

    found = next((entry for entry in node.attribute if entry.name == name), None)
    return default if found is None else helper.get_attribute_value(found)
