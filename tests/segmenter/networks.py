"""Small segmentation networks as ONNX models: a MobileNetV2-like body, DeepLab's heads, and what follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper


@dataclass(frozen=True)
class Net:
    """``rates`` are the dilated branches of the ASPP; ``pooled`` the image-level one; without both the head is plain.

    ``output`` is "logits" (NHWC, low resolution), "full" (NCHW, upsampled), "mask" or "mask64" (int64, no cast).
    ``mode`` is the ONNX name of the coordinate transformation.
    """

    height: int = 49
    width: int = 65
    classes: int = 7
    channels: int = 24
    rates: tuple[int, ...] = ()
    pooled: bool = False
    output: str = "mask"
    mode: str = "align_corners"
    sizes: bool = True


def model(net: Net, seed: int = 0) -> onnx.ModelProto:
    """Return the network; its stride is 8."""
    graph = _Graph(seed)
    x = graph.node("Transpose", ["input"], perm=[0, 3, 1, 2])
    x = graph.convolution(x, 3, 16, kernel=3, stride=2)
    x = graph.bottleneck(x, 16, 16, stride=2)
    x = graph.bottleneck(x, 16, 16, stride=2)
    x = graph.bottleneck(x, 16, 16, dilation=2, shortcut=True)
    x = graph.bottleneck(x, 16, net.channels, dilation=2)
    low = [(extent + 7) // 8 for extent in (net.height, net.width)]
    x, channels = graph.pyramid(x, net, low)
    x = graph.convolution(x, channels, net.classes, clip="none")
    result, shape, dtype = graph.ending(x, net, low)
    graph.nodes[-1].output[0] = result
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, net.height, net.width, 3])
    output = helper.make_tensor_value_info(result, dtype, shape)
    made = helper.make_model(
        helper.make_graph(graph.nodes, "segmenter", [image], [output], graph.constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(made, full_check=True)
    return made


class _Graph:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        result = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [result], name=result, **attributes))
        return result

    def value(self, array: Any, dtype: str = "float32") -> str:
        name = f"value_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def convolution(
        self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1,
        clip: str = "relu6",
    ) -> str:  # fmt: skip
        half, depth = kernel // 2 * dilation, inputs // groups * kernel * kernel
        weight = self.random.uniform(-1, 1, (outputs, inputs // groups, kernel, kernel)) * (6 / depth) ** 0.5
        bias = self.random.uniform(-0.5, 0.5, outputs)
        x = self.node("Conv", [x, self.value(weight), self.value(bias)], kernel_shape=[kernel] * 2, pads=[half] * 4,
                      strides=[stride] * 2, dilations=[dilation] * 2, group=groups)  # fmt: skip
        if clip == "relu6":
            return self.node("Clip", [x, self.value(0.0), self.value(6.0)])
        return self.node("Relu", [x]) if clip == "relu" else x

    def bottleneck(
        self, x: str, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, shortcut: bool = False
    ) -> str:
        inner = self.convolution(x, inputs, 3 * inputs)
        inner = self.convolution(inner, 3 * inputs, 3 * inputs, 3, stride, dilation, groups=3 * inputs)
        inner = self.convolution(inner, 3 * inputs, outputs, clip="none")
        return self.node("Add", [inner, x]) if shortcut else inner

    def pyramid(self, x: str, net: Net, low: list[int]) -> tuple[str, int]:
        """Return the head's last feature map and its channels."""
        if not net.rates and not net.pooled:
            return x, net.channels
        width = 40
        branches = [self.convolution(x, net.channels, width, clip="relu")]
        branches += [self.convolution(x, net.channels, width, 3, 1, rate, clip="relu") for rate in net.rates]
        if net.pooled:
            mean = self.node("GlobalAveragePool", [x])
            pixel = self.convolution(mean, net.channels, width, clip="relu")
            sizes = self.value([1, width, *low], "int64")
            branches.append(self.node("Resize", [pixel, "", "", sizes], mode="linear"))
        joined = self.node("Concat", branches, axis=1)
        return self.convolution(joined, width * len(branches), width, clip="relu"), width

    def ending(self, x: str, net: Net, low: list[int]) -> tuple[str, list[int], int]:
        if net.output == "logits":
            self.node("Transpose", [x], perm=[0, 2, 3, 1])
            return "logits", [1, *low, net.classes], TensorProto.FLOAT
        full = [net.height, net.width]
        sizes = self.value([1, net.classes, *full], "int64")
        x = self.node("Resize", [x, "", "", sizes], mode="linear", coordinate_transformation_mode=net.mode)
        if net.output == "full":
            return "logits", [1, net.classes, *full], TensorProto.FLOAT
        x = self.node("ArgMax", [x], axis=1, keepdims=0)
        if net.output == "mask64":
            return "mask", [1, *full], TensorProto.INT64
        self.node("Cast", [x], to=TensorProto.UINT8)
        return "mask", [1, *full], TensorProto.UINT8
