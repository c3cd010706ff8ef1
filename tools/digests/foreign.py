"""Two ONNX graphs that no description of ours makes: the same bytes on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


@dataclass(eq=False)
class _Graph:
    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, *sources: str, **attributes: object) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(sources), [name], **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def conv(self, source: str, channels: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        """A convolution with a bias; whole numbers over 64 as weights, which every NumPy draws alike."""
        shape = (outputs, channels // groups, kernel, kernel)
        taps = self.random.integers(-32, 33, shape) / (64 * np.sqrt(np.prod(shape[1:])))
        bias = self.random.integers(-32, 33, outputs) / 64
        window = {"strides": [stride, stride], "pads": [kernel // 2] * 4, "group": groups}
        return self.add("Conv", source, self.constant(taps), self.constant(bias), **window)

    def relu6(self, source: str) -> str:
        return self.add("Clip", source, self.constant(np.array(0)), self.constant(np.array(6)))

    def model(self, shape: Sequence[int], outputs: dict[str, Sequence[int]]) -> onnx.ModelProto:
        source = [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs.items()]
        graph = helper.make_graph(self.nodes, "foreign", source, ends, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def separable() -> onnx.ModelProto:
    """MobileNetV1's blocks, and two heads on maps of different sizes that are concatenated behind a softmax."""
    graph = _Graph(np.random.default_rng(1))
    value, channels, heads = graph.relu6(graph.conv("image", 3, 24, 3, 2)), 24, []
    for outputs, stride in ((40, 1), (64, 2), (64, 1), (96, 2), (96, 1)):
        value = graph.relu6(graph.conv(value, channels, channels, 3, stride, channels))
        value, channels = graph.relu6(graph.conv(value, channels, outputs)), outputs
        if outputs > 40 and stride == 1:
            head = graph.add("Transpose", graph.conv(value, channels, 12, 3), perm=[0, 2, 3, 1])
            shape = numpy_helper.from_array(np.array([1, -1, 4], np.int64), f"shape_{len(graph.weights)}")
            graph.weights.append(shape)
            heads.append(graph.add("Reshape", head, shape.name))
    scores = graph.add("Softmax", graph.add("Concat", *heads, axis=1), axis=2)
    return graph.model((1, 3, 64, 80), {scores: (1, (16 * 20 + 8 * 10) * 3, 4)})


def residual() -> onnx.ModelProto:
    """Bottlenecks with shortcuts, a strided one, hard-swish, and an enlarged map beside the small one."""
    graph = _Graph(np.random.default_rng(2))
    value = graph.add("Relu", graph.conv("image", 3, 32, 3, 2))
    for stride in (1, 1, 2):
        inner = graph.add("Relu", graph.conv(value, 32, 16))
        inner = graph.conv(graph.add("Relu", graph.conv(inner, 16, 16, 3, stride)), 16, 32)
        other = value if stride == 1 else graph.conv(value, 32, 32, 1, 2)
        value = graph.add("Relu", graph.add("Add", inner, other))
    small = graph.add("HardSwish", graph.conv(value, 32, 20))
    scales = graph.constant(np.array([1, 1, 2, 2]))
    large = graph.add("Resize", small, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    return graph.model((1, 3, 56, 56), {small: (1, 20, 14, 14), large: (1, 20, 28, 28)})


GRAPHS = {"separable": separable, "residual": residual}
"""By the name that the matrix calls them."""
