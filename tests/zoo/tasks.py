"""Detectors and segmenters: SSD, SSDLite, YOLOv2, BlazeFace, DeepLabv3, LR-ASPP."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from tests.zoo.blocks import conv_norm, depthwise
from tests.zoo.excited import V3_LARGE, mobilenet_v3_maps, v3_block
from tests.zoo.graph import Graph, Map
from tests.zoo.mobile import mobilenet_v1_maps
from tests.zoo.residual import RESNET101, resnet_body

Predict = Callable[[Graph, Map, int], Map]


def predict(g: Graph, maps: list[Map], anchors: list[int], classes: int, head: Predict) -> onnx.ModelProto:
    """Boxes [1, N, 4] and scores [1, N, classes] of all maps, row by row, anchor by anchor."""
    for title, width in (("boxes", 4), ("scores", classes)):
        parts, total = [], 0
        for x, count in zip(maps, anchors, strict=True):
            found = g.transpose(head(g, x, count * width).name, 0, 2, 3, 1)
            parts.append(g.reshape(found, 1, x.rows * x.columns * count, width))
            total += x.rows * x.columns * count
        g.output(g.node("Concat", *parts, axis=1), title, 1, total, width)
    return g.model()


def plain_head(g: Graph, x: Map, channels: int) -> Map:
    return g.conv(x, channels, 3, bias=True)


def separable_head(act: str) -> Predict:
    return lambda g, x, channels: g.conv(depthwise(g, x, act=act), channels, bias=True)


def extra(g: Graph, x: Map, channels: int, act: str) -> Map:
    """A further map of half the size: 1x1 to half the channels, depthwise with stride 2, 1x1."""
    y = depthwise(g, conv_norm(g, x, channels // 2, act=act), 3, 2, act=act)
    return conv_norm(g, y, channels, act=act)


EXTRAS = (512, 256, 256, 128)


def ssdlite_mobilenet_v1(size: int = 320, width: float = 1.0, classes: int = 91) -> onnx.ModelProto:
    g = Graph(size)
    blocks = mobilenet_v1_maps(g, width, "relu6")
    maps = [blocks[11], blocks[13]]
    for channels in EXTRAS:
        maps.append(extra(g, maps[-1], channels, "relu6"))
    return predict(g, maps, [3, 6, 6, 6, 6, 6], classes, separable_head("relu6"))


def ssdlite_mobilenet_v3_large(size: int = 320, classes: int = 91) -> onnx.ModelProto:
    """The last blocks have half the channels; the first map is the expansion of the block that halves the image."""
    g = Graph(size)
    x = mobilenet_v3_maps(g, V3_LARGE[:12])[-1]
    first = conv_norm(g, x, 672, act="hswish")
    kernel, _, _, excited, act, stride = V3_LARGE[12]
    x = v3_block(g, first, (kernel, 672, 80, excited, act, stride))
    for _ in range(2):
        x = v3_block(g, x, (5, 480, 80, True, "hswish", 1))
    maps = [first, conv_norm(g, x, 480, act="hswish")]
    for channels in EXTRAS:
        maps.append(extra(g, maps[-1], channels, "relu6"))
    return predict(g, maps, [6] * 6, classes, separable_head("relu6"))


def normalised(g: Graph, x: Map) -> Map:
    """Divide every pixel by its length, as torch exports that."""
    length = g.node("Clip", g.node("ReduceL2", x.name, axes=[1], keepdims=1), g.constant(1e-12))
    shape = g.constant([1, x.channels, x.rows, x.columns], "int64")
    return g.like(x, g.node("Div", x.name, g.node("Expand", length, shape)))


def ssd300_vgg(size: int = 300, width: int = 64, classes: int = 91) -> onnx.ModelProto:
    """Liu et al. 2016, as torchvision has it: VGG-16, dilated fc6, four extra maps, the first one normalised."""
    g = Graph(size)

    def conv(
        x: Map, channels: int, kernel: int = 3, stride: int = 1, padding: int | None = None, dilation: int = 1
    ) -> Map:
        return g.act(g.conv(x, channels, kernel, stride, padding=padding, dilation=dilation, bias=True), "relu")

    x = g.image
    for stage, depth in enumerate((2, 2, 3, 3)):
        x = g.pool(x, "max", 2, 2, ceil=stage == 3) if stage else x
        for _ in range(depth):
            x = conv(x, min(width << stage, 8 * width))
    first = g.scale(normalised(g, x))
    x = g.pool(x, "max", 2, 2)
    for _ in range(3):
        x = conv(x, 8 * width)
    x = conv(conv(g.pool(x, "max", 3, 1, 1), 16 * width, 3, dilation=6), 16 * width, 1)
    maps = [first, x]
    for squeezed, channels, stride, padding in ((4, 8, 2, 1), (2, 4, 2, 1), (2, 4, 1, 0), (2, 4, 1, 0)):
        x = conv(conv(maps[-1], squeezed * width, 1), channels * width, 3, stride, padding)
        maps.append(x)
    return predict(g, maps, [4, 6, 6, 6, 4, 4], classes, plain_head)


DARKNET = ((64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))


def reorganise(g: Graph, x: Map) -> Map:
    """Move every 2x2 pixels into channels."""
    rows, columns = x.rows // 2, x.columns // 2
    name = g.transpose(g.reshape(x.name, 1, x.channels, rows, 2, columns, 2), 0, 3, 5, 1, 2, 4)
    return Map(g.reshape(name, 1, 4 * x.channels, rows, columns), 4 * x.channels, rows, columns)


def yolo_v2(size: int = 416, shrink: int = 1, classes: int = 80) -> onnx.ModelProto:
    """Redmon and Farhadi 2017: Darknet-19, and a passthrough from the map of twice the size."""
    g = Graph(size)

    def conv(x: Map, channels: int, kernel: int) -> Map:
        return conv_norm(g, x, channels // shrink, kernel, act="leaky")

    x = conv(g.image, 32, 3)
    fine = x
    for stage in DARKNET:
        fine, x = x, g.pool(x, "max", 2, 2)
        for index, channels in enumerate(stage):
            x = conv(x, channels, 1 if index % 2 else 3)
    x = conv(conv(x, 1024, 3), 1024, 3)
    x = conv(g.concat(reorganise(g, conv(fine, 64, 1)), x), 1024, 3)
    x = g.conv(x, 5 * (classes + 5), bias=True)
    g.output(x.name, "raw", 1, x.channels, x.rows, x.columns)
    return g.model()


BLAZE = ((24, 1), (24, 1), (28, 2), (32, 1), (36, 1), (42, 2), (48, 1), (56, 1), (64, 1), (72, 1), (80, 1), (88, 1))
"""Channels, stride; as MediaPipe's face detectors, where the front one sees 128x128 pixels and the back one 256x256."""


def blaze(g: Graph, x: Map, channels: int, stride: int) -> Map:
    """Depthwise and pointwise beside a shortcut that is pooled and gets channels of zeros; ReLU behind the sum."""
    y = g.conv(g.conv(x, x.channels, 3, stride, groups=x.channels, padding="same", bias=True), channels, bias=True)
    shortcut = g.pool(x, "max", 2, 2) if stride == 2 else x
    if channels > x.channels:
        pads = g.constant([0, 0, 0, 0, 0, channels - x.channels, 0, 0], "int64")
        shortcut = Map(g.node("Pad", shortcut.name, pads, mode="constant"), channels, y.rows, y.columns)
    return g.act(g.add(y, shortcut), "relu")


def blazeface(size: int = 256, rows: tuple[tuple[int, int], ...] = BLAZE) -> onnx.ModelProto:
    """The structure of BlazeFace (Bazarevsky et al. 2019): two maps, boxes with six points, one score."""
    g = Graph(size)
    x = g.act(g.conv(g.image, 24, 5, 2, padding="same", bias=True), "relu")
    for channels, stride in rows:
        x = blaze(g, x, channels, stride)
    small = blaze(g, x, 96, 2)
    for _ in range(4):
        small = blaze(g, small, 96, 1)
    for title, width in (("boxes", 16), ("scores", 1)):
        parts, total = [], 0
        for found, anchors in ((x, 2), (small, 6)):
            head = g.transpose(g.conv(found, anchors * width, bias=True).name, 0, 2, 3, 1)
            parts.append(g.reshape(head, 1, found.rows * found.columns * anchors, width))
            total += found.rows * found.columns * anchors
        g.output(g.node("Concat", *parts, axis=1), title, 1, total, width)
    return g.model()


def pyramid(g: Graph, x: Map, rates: tuple[int, ...], channels: int = 256, pooled: bool = True) -> Map:
    """DeepLab's ASPP: a 1x1 convolution, dilated ones, the image's mean; joined, and mixed by a 1x1 one."""
    parts = [conv_norm(g, x, channels, act="relu")]
    parts += [conv_norm(g, x, channels, 3, dilation=rate, act="relu") for rate in rates]
    if pooled:
        parts.append(g.resize(conv_norm(g, g.mean(x), channels, act="relu"), x.rows, x.columns))
    return conv_norm(g, g.concat(*parts), channels, act="relu")


def segmented(g: Graph, x: Map, classes: int) -> onnx.ModelProto:
    """Resize the logits to the image, NCHW."""
    x = g.resize(x, g.image.rows, g.image.columns)
    g.output(x.name, "logits", 1, classes, x.rows, x.columns)
    return g.model()


def deeplabv3_mobilenet_v1(
    size: int = 513, width: float = 1.0, channels: int = 256, classes: int = 21
) -> onnx.ModelProto:
    g = Graph(size)
    x = pyramid(g, mobilenet_v1_maps(g, width, "relu6", 16)[-1], (6, 12, 18), channels)
    return segmented(g, g.conv(x, classes, bias=True), classes)


def deeplabv3_resnet101(
    size: int = 512,
    width: int = 64,
    depths: tuple[int, ...] = RESNET101,
    channels: int = 256,
    classes: int = 21,
) -> onnx.ModelProto:
    """As torchvision has it: output stride 8, rates 12, 24, 36, a 3x3 convolution behind the pyramid."""
    g = Graph(size)
    x = resnet_body(g, depths, deep=True, width=width, dilations=(1, 1, 2, 4))
    x = conv_norm(g, pyramid(g, x, (12, 24, 36), channels), channels, 3, act="relu")
    return segmented(g, g.conv(x, classes, bias=True), classes)


def lraspp_mobilenet_v3_large(size: int = 512, classes: int = 21) -> onnx.ModelProto:
    """As torchvision has it: the last blocks dilated, a gate from the image's mean, logits of two maps."""
    g = Graph(size)
    blocks = mobilenet_v3_maps(g, V3_LARGE, 16)
    high, low = conv_norm(g, blocks[-1], 960, act="hswish"), blocks[6]
    gate = g.act(g.conv(g.mean(high), 128), "sigmoid")
    x = g.resize(g.mul(conv_norm(g, high, 128, act="relu"), gate), low.rows, low.columns)
    return segmented(g, g.add(g.conv(low, classes, bias=True), g.conv(x, classes, bias=True)), classes)
