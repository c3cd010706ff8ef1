"""Collects the nodes and initialisers of an ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class Graph:
    """Nodes in execution order, and the initialisers that they read."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node, named after its output tensor; return that name."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Append a float32 initialiser; return its name."""
        from onnx import TensorProto, helper

        data = np.ascontiguousarray(value, dtype="<f4").tobytes()
        self.initialisers.append(helper.make_tensor(name, TensorProto.FLOAT, value.shape, data, raw=True))
        return name

    def extents(self, name: str, values: Sequence[int]) -> str:
        """Append an int64 vector, as operators want shapes; return its name."""
        from onnx import TensorProto, helper

        data = np.array(values, dtype="<i8").tobytes()
        self.initialisers.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], data, raw=True))
        return name

    def weight(self, name: str) -> str:
        """Append the weight of this name as an initialiser; return the name."""
        return self.constant(name, self.weights[name])
