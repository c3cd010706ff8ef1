"""ResNets and what descends from them: He et al. 2015; Ding et al. 2021 (RepVGG, deploy form)."""

from __future__ import annotations

import onnx

from tests.zoo.blocks import BRANCH, conv_norm
from tests.zoo.graph import Graph, Map

RESNET18 = (2, 2, 2, 2)
RESNET50 = (3, 4, 6, 3)
RESNET101 = (3, 4, 23, 3)


def basic(g: Graph, x: Map, channels: int, stride: int) -> Map:
    """Two 3x3 convolutions beside a shortcut."""
    y = conv_norm(g, conv_norm(g, x, channels, 3, stride, act="relu"), channels, 3, gain=BRANCH)
    shortcut = x if stride == 1 and x.channels == channels else conv_norm(g, x, channels, 1, stride)
    return g.act(g.add(y, shortcut), "relu")


def bottleneck(g: Graph, x: Map, channels: int, stride: int, dilation: int = 1, project: bool = False) -> Map:
    """1x1, 3x3 (which has the stride), 1x1 to four times the channels, beside a shortcut."""
    y = conv_norm(g, x, channels, act="relu")
    y = conv_norm(g, y, channels, 3, stride, dilation=dilation, act="relu")
    y = conv_norm(g, y, 4 * channels, gain=BRANCH)
    shortcut = conv_norm(g, x, 4 * channels, 1, stride) if project else x
    return g.act(g.add(y, shortcut), "relu")


def resnet_body(
    g: Graph, depths: tuple[int, ...], *, deep: bool, width: int = 64, dilations: tuple[int, ...] = (1, 1, 1, 1)
) -> Map:
    """Everything up to the last feature map; a stage with a dilation keeps its size instead of halving it."""
    x = g.pool(conv_norm(g, g.image, width, 7, 2, act="relu"), "max", 3, 2, 1)
    for index, (depth, dilation) in enumerate(zip(depths, dilations, strict=False)):
        for block in range(depth):
            stride = 2 if block == 0 and index > 0 and dilation == 1 else 1
            if deep:
                # The first block of a dilated stage still sees the dilation of the one before.
                spread = dilations[index - 1] if block == 0 and index > 0 else dilation
                x = bottleneck(g, x, width << index, stride, spread, project=block == 0)
            else:
                x = basic(g, x, width << index, stride)
    return x


def resnet18(size: int = 224, width: int = 64, classes: int = 1000) -> onnx.ModelProto:
    g = Graph(size)
    return g.classify(resnet_body(g, RESNET18, deep=False, width=width), classes)


def resnet50(
    size: int = 224, width: int = 64, classes: int = 1000, depths: tuple[int, ...] = RESNET50
) -> onnx.ModelProto:
    g = Graph(size)
    return g.classify(resnet_body(g, depths, deep=True, width=width), classes)


REPVGG_A0 = ((48, 2), (96, 4), (192, 14), (1280, 1))


def repvgg_a0(size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    """The deploy form: one 3x3 convolution with a bias for every block."""
    g = Graph(size)
    x = g.act(g.conv(g.image, 48, 3, 2, bias=True), "relu")
    for channels, depth in REPVGG_A0:
        for block in range(depth):
            x = g.act(g.conv(x, channels, 3, 2 if block == 0 else 1, bias=True), "relu")
    return g.classify(x, classes)
