"""Small separable networks written as different exporters write them, and whole files of them.

A ``Style`` says how each idiom looks; ``network`` builds stem, bottlenecks (or MobileNetV1's blocks) and classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Style:
    """The idioms of one exporter.

    ``norm`` is "separate", "folded" (a bias), "biased" (a bias and a BatchNormalization) or "none"; ``clip`` "inputs",
    "constants" or "attributes"; ``mean`` "global", "average", "axes", "axes_input" or "drop" (no kept dimensions);
    ``head`` "gemm", "scaled" (alpha, beta, no transpose), "matmul" or "conv"; ``flat`` "flatten", "squeeze", "reshape"
    or "shape" (computed from the shape); ``pad`` "attribute", "node" or "same" (auto_pad).
    """

    opset: int = 17
    norm: str = "separate"
    act: str = "relu6"
    clip: str = "inputs"
    mean: str = "global"
    head: str = "gemm"
    flat: str = "flatten"
    pad: str = "attribute"
    batch: int | str = 1
    dropout: bool = False
    nhwc: bool = False
    named: bool = True


TORCHSCRIPT = Style(norm="folded", clip="constants", flat="flatten", batch="batch")
DYNAMO = Style(opset=18, mean="axes_input", flat="reshape", norm="separate")
KERAS = Style(opset=15, nhwc=True, norm="folded", act="min", mean="drop", head="matmul", pad="node", dropout=True)
OLD = Style(opset=9, clip="attributes", mean="axes", flat="squeeze", head="scaled", dropout=True)
STYLES = {
    "torchscript": TORCHSCRIPT,
    "dynamo": DYNAMO,
    "keras": KERAS,
    "opset 9": OLD,
    "average pool, conv head": Style(mean="average", head="conv", norm="biased", act="relu"),
    "auto_pad, computed reshape": Style(pad="same", flat="shape", batch="N", act="relu"),
    "no normalisation": Style(norm="none", act="relu", named=False, flat="squeeze", mean="axes"),
}


class Writer:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self, style: Style, seed: int = 0) -> None:
        self.style, self.random = style, np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        result = f"/{operator}_{len(self.nodes)}_output_0"
        name = f"/{operator}_{len(self.nodes)}" if self.style.named else ""
        self.nodes.append(helper.make_node(operator, list(inputs), [result], name=name, **attributes))
        return result

    def value(self, array: Any, dtype: str = "float32") -> str:
        name = f"onnx::value_{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def constant_node(self, array: Any, dtype: str = "float32") -> str:
        return self.node("Constant", value=numpy_helper.from_array(np.asarray(array, dtype)))

    def draw(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> str:
        return self.value(self.random.uniform(-scale, scale, shape) + shift)

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        style, half = self.style, kernel // 2
        attributes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "group": groups}
        if kernel > 1 and style.pad == "node":
            x = self._pad(x, half)
        elif kernel > 1 and style.pad == "same":
            attributes["auto_pad"] = "SAME_UPPER"
        elif kernel > 1:
            attributes["pads"] = [half] * 4
        depth = inputs // groups * kernel * kernel
        weights = [self.draw(outputs, inputs // groups, kernel, kernel, scale=(6 / depth) ** 0.5)]
        if style.norm in ("folded", "biased"):
            weights.append(self.draw(outputs))
        x = self.node("Conv", x, *weights, **attributes)
        if style.norm in ("separate", "biased"):
            parameters = [self.draw(outputs, scale=0.2, shift=shift) for shift in (1, 0, 0, 1)]
            x = self.node("BatchNormalization", x, *parameters, epsilon=1e-3)
        return x

    def _pad(self, x: str, half: int) -> str:
        if self.style.opset < 11:
            return self.node("Pad", x, pads=[0, 0, half, half] * 2, mode="constant")
        return self.node("Pad", x, self.value([0, 0, half, half] * 2, "int64"), mode="constant")

    def act(self, x: str) -> str:
        style = self.style
        if style.act == "relu":
            return self.node("Relu", x)
        if style.act == "min":
            return self.node("Min", self.node("Relu", x), self.value(6.0))
        if style.clip == "attributes":
            return self.node("Clip", x, min=0.0, max=6.0)
        make = self.constant_node if style.clip == "constants" else self.value
        return self.node("Clip", x, make(0.0), make(6.0))

    def mean(self, x: str, size: tuple[int, int]) -> str:
        kind = self.style.mean
        if kind == "global":
            return self.node("GlobalAveragePool", x)
        if kind == "average":
            return self.node("AveragePool", x, kernel_shape=size)
        if kind == "axes_input":
            return self.node("ReduceMean", x, self.value([-1, -2], "int64"), keepdims=1)
        return self.node("ReduceMean", x, axes=[2, 3], keepdims=int(kind == "axes"))

    def flat(self, x: str, channels: int) -> str:
        kind = self.style.flat
        if kind == "squeeze" and self.style.opset < 13:
            return self.node("Squeeze", x, axes=[2, 3])
        if kind == "squeeze":
            return self.node("Squeeze", x, self.value([2, 3], "int64"))
        if kind == "reshape":
            return self.node("Reshape", x, self.value([0, -1], "int64"))
        if kind == "shape":
            rows = self.node("Gather", self.node("Shape", x), self.constant_node(0, "int64"), axis=0)
            extents = [
                self.node("Unsqueeze", part, self.value([0], "int64")) for part in (rows, self.value(-1, "int64"))
            ]
            return self.node("Reshape", x, self.node("Concat", *extents, axis=0))
        return self.node("Flatten", x, axis=1)

    def head(self, x: str, channels: int, classes: int) -> str:
        kind, scale = self.style.head, (6 / channels) ** 0.5
        if kind == "gemm":
            return self.node("Gemm", x, self.draw(classes, channels, scale=scale), self.draw(classes), transB=1)
        weight = self.draw(channels, classes, scale=scale)
        if kind == "scaled":
            return self.node("Gemm", x, weight, self.draw(classes), alpha=0.5, beta=2.0)
        return self.node("Add", self.draw(classes), self.node("MatMul", x, weight))

    def file(self, output: str, shape: tuple[int, ...], classes: int) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Identity", [output], ["logits"]))
        batch = self.style.batch
        ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *shape])]
        results = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])]
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "main", ports, results, constants)
        opsets = [helper.make_opsetid("", self.style.opset)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=4 if self.style.opset < 11 else 8)
        onnx.checker.check_model(made)
        return made


def network(style: Style, *, family: str = "v2", size: int = 16, classes: int = 5, kernel: int = 3) -> onnx.ModelProto:
    """A file of a small network: "v2" has bottlenecks with expansion and a shortcut, "v1" depthwise and pointwise."""
    write = Writer(style)
    shape = (size, size, 3) if style.nhwc else (3, size, size)
    x = write.node("Transpose", "image", perm=[0, 3, 1, 2]) if style.nhwc else "image"
    x = write.act(write.conv(x, 3, 8, 3, 2))
    if family == "v1":
        for inputs, outputs, stride in ((8, 12, 1), (12, 16, 2), (16, 16, 1)):
            x = write.act(write.conv(x, inputs, inputs, kernel, stride, inputs))
            x = write.act(write.conv(x, inputs, outputs))
    else:
        x = write.conv(write.act(write.conv(x, 8, 8, kernel, 1, 8)), 8, 8)
        x = bottleneck(write, x, 8, 12, 2, kernel)
        x = write.node("Add", x, bottleneck(write, x, 12, 12, 1, kernel))
        x = write.act(write.conv(x, 12, 16))
    side = size // 4
    x = write.mean(x, (side, side))
    if style.dropout:
        x = write.node("Dropout", x)
    if style.head == "conv":
        x = write.flat(write.conv(x, 16, classes), classes)
    else:
        x = x if style.mean == "drop" else write.flat(x, 16)
        x = write.head(x, 16, classes)
    return write.file(x, shape, classes)


def bottleneck(write: Writer, x: str, inputs: int, outputs: int, stride: int, kernel: int) -> str:
    expanded = write.act(write.conv(x, inputs, 2 * inputs))
    seen = write.act(write.conv(expanded, 2 * inputs, 2 * inputs, kernel, stride, 2 * inputs))
    return write.conv(seen, 2 * inputs, outputs)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path
