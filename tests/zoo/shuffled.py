"""Networks that shuffle, split and join channels: ShuffleNet, SqueezeNet."""

from __future__ import annotations

import onnx

from tests.zoo.blocks import conv_norm, depthwise
from tests.zoo.graph import Graph, Map

REPEATS = (4, 8, 4)


def shuffle(g: Graph, x: Map, groups: int) -> Map:
    """Take one channel of each group in turn."""
    name = g.reshape(x.name, 1, groups, x.channels // groups, x.rows, x.columns)
    return g.like(x, g.reshape(g.transpose(name, 0, 2, 1, 3, 4), 1, x.channels, x.rows, x.columns))


def shuffle_unit(g: Graph, x: Map, channels: int, groups: int, stride: int, first: int) -> Map:
    """ShuffleNet's unit; the first grouped convolution has ``first`` groups."""
    made = channels - x.channels if stride > 1 else channels
    y = shuffle(g, conv_norm(g, x, channels // 4, groups=first, act="relu"), groups)
    y = conv_norm(g, depthwise(g, y, 3, stride), made, groups=groups)
    if stride > 1:
        return g.act(g.concat(g.pool(x, "avg", 3, 2, 1), y), "relu")
    return g.act(g.add(x, y), "relu")


def shufflenet_v1(
    size: int = 224, channels: int = 360, groups: int = 3, classes: int = 1000, repeats: tuple[int, ...] = REPEATS
) -> onnx.ModelProto:
    """Zhang et al. 2018; 360 channels are x1.5 with three groups."""
    g = Graph(size)
    x = g.pool(conv_norm(g, g.image, 24, 3, 2, act="relu"), "max", 3, 2, 1)
    for stage, count in enumerate(repeats):
        for block in range(count):
            first = 1 if stage == block == 0 else groups
            x = shuffle_unit(g, x, channels << stage, groups, 2 if block == 0 else 1, first)
    return g.classify(x, classes)


def shufflenet_v2(
    size: int = 224, channels: int = 116, classes: int = 1000, repeats: tuple[int, ...] = REPEATS, last: int = 1024
) -> onnx.ModelProto:
    """Ma et al. 2018; 116 channels are x1.0."""
    g = Graph(size)
    x = g.pool(conv_norm(g, g.image, 24, 3, 2, act="relu"), "max", 3, 2, 1)
    for stage, count in enumerate(repeats):
        half = (channels << stage) // 2
        for block in range(count):
            if block == 0:
                left = conv_norm(g, depthwise(g, x, 3, 2), half, act="relu")
                right = x
            else:
                left, right = g.slice(x, 1, 0, half), g.slice(x, 1, half, 2 * half)  # as torch exports chunk()
            y = depthwise(g, conv_norm(g, right, half, act="relu"), 3, 2 if block == 0 else 1)
            x = shuffle(g, g.concat(left, conv_norm(g, y, half, act="relu")), 2)
    return g.classify(conv_norm(g, x, last, act="relu"), classes)


SQUEEZENET: tuple[tuple[int, int] | None, ...] = (
    (16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)
)  # fmt: skip
"""Squeezed channels, channels of each expansion; None is a pool."""


def squeezenet1_1(
    size: int = 224, classes: int = 1000, rows: tuple[tuple[int, int] | None, ...] = SQUEEZENET
) -> onnx.ModelProto:
    """Iandola et al. 2016."""
    g = Graph(size)
    x = g.act(g.conv(g.image, 64, 3, 2, padding=0, bias=True), "relu")
    x = g.pool(x, "max", 3, 2, ceil=True)
    for row in rows:
        if row is None:
            x = g.pool(x, "max", 3, 2, ceil=True)
            continue
        squeezed = g.act(g.conv(x, row[0], bias=True), "relu")
        wide = [g.act(g.conv(squeezed, row[1], kernel, bias=True), "relu") for kernel in (1, 3)]
        x = g.concat(*wide)
    scores = g.mean(g.act(g.conv(x, classes, bias=True), "relu"))
    g.output(g.node("Flatten", scores.name, axis=1), "logits", 1, classes)
    return g.model()
