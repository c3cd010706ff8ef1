"""Writes ONNX graphs of convolutional networks: every method adds an operator and returns what it makes.

Weights are random, and so are the statistics of batch normalisation, so that a norm that is folded wrongly shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Map:
    """A feature map: the name of its tensor, NCHW with one image, and its size."""

    name: str
    channels: int
    rows: int
    columns: int


def same(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and after as TensorFlow's SAME adds it: the odd one behind."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class Graph:
    """One network: nodes and constants, collected in the order of the calls."""

    def __init__(self, size: int | tuple[int, int], channels: int = 3, seed: int = 0, opset: int = 17) -> None:
        rows, columns = (size, size) if isinstance(size, int) else size
        self.image = Map("image", channels, rows, columns)
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def node(self, operator: str, *inputs: str, results: int = 1, **attributes: Any) -> Any:
        """Add a node; return the name of its result, or a list of names where it has several ``results``."""
        number = len(self.nodes)
        names = [f"{operator.lower()}_{number}" + (f"_{index}" if results > 1 else "") for index in range(results)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names if results > 1 else names[0]

    def constant(self, value: Any, dtype: str = "float32") -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        return self.random.uniform(low, high, shape).astype(np.float32)

    def conv(
        self,
        x: Map,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        dilation: int = 1,
        padding: int | str | None = None,
        bias: bool = False,
        gain: float = 1.0,
    ) -> Map:
        """Convolve; ``padding`` is a number for all sides, "same" as TensorFlow pads, or None: half the window.

        ``gain`` scales the weights.
        """
        window = (kernel, kernel) if isinstance(kernel, int) else kernel
        sides = []
        for size, extent in zip((x.rows, x.columns), window, strict=True):
            if padding == "same":
                sides.append(same(size, extent, stride, dilation))
            else:
                half = (extent - 1) * dilation // 2 if padding is None else int(padding)
                sides.append((half, half))
        fan = x.channels // groups * window[0] * window[1]
        weight = self.random.normal(0, gain * (2 / fan) ** 0.5, (channels, x.channels // groups, *window))
        inputs = [x.name, self.constant(weight)]
        if bias:
            inputs.append(self.constant(self.uniform(-0.3, 0.3, channels)))
        (top, bottom), (left, right) = sides
        name = self.node(
            "Conv",
            *inputs,
            kernel_shape=window,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            pads=[top, left, bottom, right],
            group=groups,
        )
        rows = (x.rows + top + bottom - (window[0] - 1) * dilation - 1) // stride + 1
        columns = (x.columns + left + right - (window[1] - 1) * dilation - 1) // stride + 1
        return Map(name, channels, rows, columns)

    def norm(self, x: Map, epsilon: float = 1e-5, gain: float = 1.0) -> Map:
        """Batch normalisation with a scale (times ``gain``), shift, mean and variance of its own per channel."""
        ranges = ((0.5 * gain, 1.5 * gain), (-0.3, 0.3), (-0.3, 0.3), (0.5, 1.5))
        values = [self.constant(self.uniform(low, high, x.channels)) for low, high in ranges]
        return self.like(x, self.node("BatchNormalization", x.name, *values, epsilon=epsilon))

    def like(self, x: Map, name: str) -> Map:
        return Map(name, x.channels, x.rows, x.columns)

    def act(self, x: Map, kind: str | None) -> Map:
        """Apply "relu", "relu6", "hswish", "hsigmoid", "sigmoid", "silu", "leaky" or "gelu"; None is nothing."""
        if kind is None:
            return x
        if kind == "relu6":
            return self.like(x, self.node("Clip", x.name, self.constant(0.0), self.constant(6.0)))
        if kind == "silu":
            return self.mul(x, self.act(x, "sigmoid"))
        if kind == "gelu":
            return self.gelu(x)
        if kind == "hsigmoid":
            return self.like(x, self.node("HardSigmoid", x.name, alpha=1 / 6, beta=0.5))
        if kind == "leaky":
            return self.like(x, self.node("LeakyRelu", x.name, alpha=0.1))
        plain = {"relu": "Relu", "hswish": "HardSwish", "sigmoid": "Sigmoid"}
        return self.like(x, self.node(plain[kind], x.name))

    def gelu(self, x: Map) -> Map:
        """The exact form, as exporters spell it before opset 20."""
        erf = self.node("Erf", self.node("Div", x.name, self.constant(2**0.5)))
        raised = self.node("Mul", x.name, self.node("Add", erf, self.constant(1.0)))
        return self.like(x, self.node("Mul", raised, self.constant(0.5)))

    def add(self, x: Map, y: Map) -> Map:
        return self.like(x, self.node("Add", x.name, y.name))

    def mul(self, x: Map, y: Map) -> Map:
        """Multiply, also by a map of one pixel."""
        return self.like(x, self.node("Mul", x.name, y.name))

    def scale(self, x: Map) -> Map:
        """Multiply every channel by a number of its own."""
        return self.like(x, self.node("Mul", x.name, self.constant(self.uniform(0.05, 0.3, x.channels, 1, 1))))

    def concat(self, *maps: Map) -> Map:
        name = self.node("Concat", *(entry.name for entry in maps), axis=1)
        return Map(name, sum(entry.channels for entry in maps), maps[0].rows, maps[0].columns)

    def split(self, x: Map, *channels: int) -> list[Map]:
        sizes = self.constant(channels, "int64")
        names = self.node("Split", x.name, sizes, results=len(channels), axis=1)
        return [Map(name, count, x.rows, x.columns) for name, count in zip(names, channels, strict=True)]

    def slice(self, x: Map, axis: int, begin: int, end: int, step: int = 1) -> Map:
        """Take [begin, end) of channels (axis 1), rows (2) or columns (3)."""
        bounds = [self.constant([number], "int64") for number in (begin, end, axis, step)]
        extents = [x.channels, x.rows, x.columns]
        extents[axis - 1] = len(range(*np.arange(extents[axis - 1])[begin:end:step].shape))
        return Map(self.node("Slice", x.name, *bounds), *extents)

    def pool(self, x: Map, kind: str, kernel: int, stride: int, padding: int | str = 0, ceil: bool = False) -> Map:
        """Take the "max" or "avg" of a window; a mean leaves the padding out."""
        if padding == "same":
            sides = [same(size, kernel, stride) for size in (x.rows, x.columns)]
        else:
            sides = [(int(padding), int(padding))] * 2
        attributes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        attributes["pads"] = [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]
        if ceil:
            attributes["ceil_mode"] = 1
        if kind == "avg":
            attributes["count_include_pad"] = 0
        name = self.node({"max": "MaxPool", "avg": "AveragePool"}[kind], x.name, **attributes)
        rows, columns = (
            -(-(size + sum(pad) - kernel) // stride) + 1 if ceil else (size + sum(pad) - kernel) // stride + 1
            for size, pad in zip((x.rows, x.columns), sides, strict=True)
        )
        return Map(name, x.channels, rows, columns)

    def mean(self, x: Map) -> Map:
        return Map(self.node("GlobalAveragePool", x.name), x.channels, 1, 1)

    def resize(self, x: Map, rows: int, columns: int, mode: str = "linear") -> Map:
        """Resize with pixel centres at a half."""
        sizes = self.constant([1, x.channels, rows, columns], "int64")
        name = self.node("Resize", x.name, "", "", sizes, mode=mode, coordinate_transformation_mode="half_pixel")
        return Map(name, x.channels, rows, columns)

    def reshape(self, name: str, *shape: int) -> str:
        found: str = self.node("Reshape", name, self.constant(shape, "int64"))
        return found

    def transpose(self, name: str, *order: int) -> str:
        found: str = self.node("Transpose", name, perm=order)
        return found

    def dense(self, x: Map, classes: int) -> str:
        """Flatten a map and classify it; return the name of the scores."""
        count = x.channels * x.rows * x.columns
        weight = self.constant(self.random.normal(0, count**-0.5, (classes, count)))
        bias = self.constant(self.uniform(-0.3, 0.3, classes))
        found: str = self.node("Gemm", self.node("Flatten", x.name, axis=1), weight, bias, transB=1)
        return found

    def output(self, name: str, title: str, *shape: int) -> None:
        """Make a tensor the network's output ``title``."""
        self.nodes.append(helper.make_node("Identity", [name], [title]))
        self.outputs.append(helper.make_tensor_value_info(title, TensorProto.FLOAT, shape))

    def classify(self, x: Map, classes: int = 1000) -> onnx.ModelProto:
        """End in the scores of a mean over the image."""
        self.output(self.dense(self.mean(x), classes), "logits", 1, classes)
        return self.model()

    def model(self) -> onnx.ModelProto:
        image = self.image
        port = helper.make_tensor_value_info(
            image.name, TensorProto.FLOAT, [1, image.channels, image.rows, image.columns]
        )
        graph = helper.make_graph(self.nodes, "network", [port], self.outputs, self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(made)
        return made
