"""NASNet-A (Zoph et al. 2018) and FastViT-T8 (Vasu et al. 2023, deploy form)."""

from __future__ import annotations

import onnx

from tests.zoo.blocks import depthwise
from tests.zoo.graph import Graph, Map

NASNET_EPSILON = 1e-3


def _separable(g: Graph, x: Map, channels: int, kernel: int, stride: int = 1, middle: int | None = None) -> Map:
    """Twice: ReLU, depthwise, pointwise, norm. TensorFlow's padding, as all of NASNet has."""
    for count, step in ((middle or channels, stride), (channels, 1)):
        x = g.act(x, "relu")
        x = g.conv(x, x.channels, kernel, step, groups=x.channels, padding="same")
        x = g.norm(g.conv(x, count), NASNET_EPSILON)
    return x


def _fit(g: Graph, x: Map, channels: int) -> Map:
    return g.norm(g.conv(g.act(x, "relu"), channels), NASNET_EPSILON)


def _halved(g: Graph, x: Map, channels: int) -> Map:
    """Bring the cell before the last one to half its size: two strided means, one of the image moved by a pixel."""
    x = g.act(x, "relu")
    moved = g.slice(g.slice(x, 2, 1, x.rows), 3, 1, x.columns)
    edge = g.constant([0, 0, 0, 0, 0, 0, 1, 1], "int64")
    moved = Map(g.node("Pad", moved.name, edge, mode="constant"), x.channels, x.rows, x.columns)
    halves = [g.pool(part, "avg", 1, 2) for part in (x, moved)]
    return g.norm(g.concat(*(g.conv(half, channels // 2) for half in halves)), NASNET_EPSILON)


def _previous(g: Graph, before: Map, x: Map, channels: int) -> Map:
    return _halved(g, before, channels) if before.rows != x.rows else _fit(g, before, channels)


def normal_cell(g: Graph, before: Map, x: Map, channels: int) -> Map:
    left, right = _previous(g, before, x, channels), _fit(g, x, channels)
    return g.concat(
        left,
        g.add(_separable(g, right, channels, 5), _separable(g, left, channels, 3)),
        g.add(_separable(g, left, channels, 5), _separable(g, left, channels, 3)),
        g.add(g.pool(right, "avg", 3, 1, "same"), left),
        g.add(g.pool(left, "avg", 3, 1, "same"), g.pool(left, "avg", 3, 1, "same")),
        g.add(_separable(g, right, channels, 3), right),
    )


def reduction_cell(g: Graph, left: Map, right: Map, channels: int) -> Map:
    """``right`` already has the cell's channels."""
    first = g.add(_separable(g, right, channels, 5, 2), _separable(g, left, channels, 7, 2))
    second = g.add(g.pool(right, "max", 3, 2, "same"), _separable(g, left, channels, 7, 2))
    third = g.add(g.pool(right, "avg", 3, 2, "same"), _separable(g, left, channels, 5, 2))
    fourth = g.add(g.pool(first, "avg", 3, 1, "same"), second)
    fifth = g.add(_separable(g, first, channels, 3), g.pool(right, "max", 3, 2, "same"))
    return g.concat(second, third, fourth, fifth)


def nasnet_a(
    size: int = 224, channels: int = 44, stem: int = 32, repeats: int = 4, classes: int = 1000
) -> onnx.ModelProto:
    """NASNet-A (4 @ 1056) with 44 channels: three groups of cells, reductions between, two as a stem."""
    g = Graph(size)
    first = g.norm(g.conv(g.image, stem, 3, 2, padding=0), NASNET_EPSILON)
    before = first
    x = reduction_cell(g, first, _fit(g, first, channels // 4), channels // 4)
    before, x = x, reduction_cell(g, _previous(g, first, x, channels // 2), _fit(g, x, channels // 2), channels // 2)
    for group in range(3):
        wide = channels << group
        if group:
            halved = reduction_cell(g, _previous(g, before, x, wide), _fit(g, x, wide), wide)
            before, x = x, halved
        for _ in range(repeats):
            before, x = x, normal_cell(g, before, x, wide)
    return g.classify(g.act(x, "relu"), classes)


LINEAR = 0.7
"""Gain of convolutions behind which no activation takes half of the power."""

FASTVIT_T8 = ((48, 2), (96, 2), (192, 4), (384, 2))


def fastvit_t8(
    size: int = 256, classes: int = 1000, stages: tuple[tuple[int, int], ...] = FASTVIT_T8
) -> onnx.ModelProto:
    """Convolutions only: depthwise mixers, and an MLP of 1x1 convolutions behind a 7x7 one, scaled per channel."""
    g = Graph(size)
    x = g.act(g.conv(g.image, stages[0][0], 3, 2, bias=True), "gelu")
    x = g.act(g.conv(x, x.channels, 3, 2, groups=x.channels, bias=True), "gelu")
    x = g.act(g.conv(x, x.channels, bias=True), "gelu")
    for channels, depth in stages:
        if channels != x.channels:  # depth multiplier 2
            x = g.conv(x, channels, 7, 2, groups=x.channels, bias=True, gain=LINEAR)
            x = g.act(g.conv(x, channels, bias=True), "gelu")
        for _ in range(depth):
            x = g.conv(x, channels, 3, groups=channels, bias=True, gain=LINEAR)
            y = g.conv(depthwise(g, x, 7), 3 * channels, bias=True)
            x = g.add(x, g.scale(g.conv(g.act(y, "gelu"), channels, bias=True)))
    x = g.conv(x, 2 * x.channels, 3, groups=x.channels, bias=True, gain=LINEAR)
    hidden = g.act(g.conv(g.mean(x), max(1, x.channels // 16), bias=True), "relu")
    x = g.act(g.mul(x, g.act(g.conv(hidden, x.channels, bias=True), "sigmoid")), "gelu")
    return g.classify(x, classes)
