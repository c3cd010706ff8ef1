"""Networks with squeeze-excite, hard-swish and SiLU: MobileNetV3, EfficientNet-B0, GhostNet."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from tests.zoo.blocks import BRANCH, conv_norm, depthwise, divisible, inverted_residual, squeeze_excite
from tests.zoo.graph import Graph, Map
from tests.zoo.mobile import EFFICIENTNET

Row = tuple[int, int, int, bool, str, int]
"""Kernel, expanded channels, channels, squeeze-excite, activation, stride: Howard et al. 2019, tables 1 and 2."""

V3_LARGE: tuple[Row, ...] = (
    (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2), *((5, 120, 40, True, "relu", 1),) * 2,
    (3, 240, 80, False, "hswish", 2), (3, 200, 80, False, "hswish", 1), *((3, 184, 80, False, "hswish", 1),) * 2,
    (3, 480, 112, True, "hswish", 1), (3, 672, 112, True, "hswish", 1),
    (5, 672, 160, True, "hswish", 2), *((5, 960, 160, True, "hswish", 1),) * 2,
)  # fmt: skip
V3_SMALL: tuple[Row, ...] = (
    (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hswish", 2), *((5, 240, 40, True, "hswish", 1),) * 2, (5, 120, 48, True, "hswish", 1),
    (5, 144, 48, True, "hswish", 1), (5, 288, 96, True, "hswish", 2), *((5, 576, 96, True, "hswish", 1),) * 2,
)  # fmt: skip


def mobilenet_v3_maps(g: Graph, rows: tuple[Row, ...], output_stride: int = 32, last: int | None = None) -> list[Map]:
    """Return the stem and the result of every block; beyond ``output_stride``, dilation takes the place of strides."""
    maps, reduced, dilation = [conv_norm(g, g.image, 16, 3, 2, act="hswish", epsilon=1e-3)], 2, 1
    for kernel, hidden, channels, excited, act, stride in rows:
        if reduced * stride > output_stride:
            stride, dilation = 1, dilation * stride
        maps.append(v3_block(g, maps[-1], (kernel, hidden, channels, excited, act, stride), dilation))
        reduced *= stride
    return maps


def v3_block(g: Graph, x: Map, row: Row, dilation: int = 1) -> Map:
    kernel, hidden, channels, excited, act, stride = row

    def excite(y: Map) -> Map:
        return squeeze_excite(g, y, divisible(hidden / 4), gate_first=True)

    return inverted_residual(
        g,
        x,
        channels,
        stride,
        hidden=None if hidden == x.channels else hidden,
        kernel=kernel,
        act=act,
        dilation=dilation,
        excite=excite if excited else None,
    )


def _classifier(g: Graph, x: Map, wide: int, hidden: int, classes: int) -> onnx.ModelProto:
    mean = g.mean(conv_norm(g, x, wide, act="hswish", epsilon=1e-3))
    raised = Map(g.node("HardSwish", g.dense(mean, hidden)), hidden, 1, 1)
    g.output(g.dense(raised, classes), "logits", 1, classes)
    return g.model()


def mobilenet_v3_large(
    size: int = 224, classes: int = 1000, rows: tuple[Row, ...] = V3_LARGE, hidden: int = 1280
) -> onnx.ModelProto:
    g = Graph(size)
    return _classifier(g, mobilenet_v3_maps(g, rows)[-1], 6 * rows[-1][2], hidden, classes)


def mobilenet_v3_small(
    size: int = 224, classes: int = 1000, rows: tuple[Row, ...] = V3_SMALL, hidden: int = 1024
) -> onnx.ModelProto:
    g = Graph(size)
    return _classifier(g, mobilenet_v3_maps(g, rows)[-1], 6 * rows[-1][2], hidden, classes)


def efficientnet_b0(
    size: int = 224, classes: int = 1000, rows: tuple[tuple[int, int, int, int, int], ...] = EFFICIENTNET
) -> onnx.ModelProto:
    """Tan and Le 2019."""
    g = Graph(size)
    x = conv_norm(g, g.image, 32, 3, 2, act="silu")
    for expansion, channels, repeats, stride, kernel in rows:
        for block in range(repeats):
            x = inverted_residual(
                g,
                x,
                channels,
                stride if block == 0 else 1,
                hidden=None if expansion == 1 else expansion * x.channels,
                kernel=kernel,
                act="silu",
                excite=_excite(g, max(1, x.channels // 4)),
            )
    return g.classify(conv_norm(g, x, 1280, act="silu"), classes)


def _excite(g: Graph, channels: int) -> Callable[[Map], Map]:
    return lambda y: squeeze_excite(g, y, channels, "silu", "sigmoid")


GHOSTNET: tuple[tuple[int, int, int, bool, int], ...] = (
    (3, 16, 16, False, 1), (3, 48, 24, False, 2), (3, 72, 24, False, 1), (5, 72, 40, True, 2), (5, 120, 40, True, 1),
    (3, 240, 80, False, 2), (3, 200, 80, False, 1), *((3, 184, 80, False, 1),) * 2, (3, 480, 112, True, 1),
    (3, 672, 112, True, 1), (5, 672, 160, True, 2), *((5, 960, 160, False, 1), (5, 960, 160, True, 1)) * 2,
)  # fmt: skip
"""Kernel, expanded channels, channels, squeeze-excite, stride: Han et al. 2020."""


def ghost(g: Graph, x: Map, channels: int, act: str | None, gain: float = 1.0) -> Map:
    """Half of the channels by a convolution, the other half from those by a cheap depthwise one."""
    made = conv_norm(g, x, -(-channels // 2), act=act, gain=gain)
    return g.slice(g.concat(made, depthwise(g, made, act=act)), 1, 0, channels)


def ghostnet(
    size: int = 224, classes: int = 1000, rows: tuple[tuple[int, int, int, bool, int], ...] = GHOSTNET
) -> onnx.ModelProto:
    g = Graph(size)
    x = conv_norm(g, g.image, 16, 3, 2, act="relu")
    for kernel, hidden, channels, excited, stride in rows:
        y = ghost(g, x, hidden, "relu")
        if stride > 1:
            y = depthwise(g, y, kernel, stride)
        if excited:
            y = squeeze_excite(g, y, divisible(hidden / 4, 4))
        y = ghost(g, y, channels, None, BRANCH)
        if stride > 1 or x.channels != channels:
            x = conv_norm(g, depthwise(g, x, kernel, stride), channels)
        x = g.add(y, x)
    x = g.mean(conv_norm(g, x, rows[-1][1], act="relu"))
    x = g.act(g.conv(x, 1280, bias=True), "relu")
    g.output(g.dense(x, classes), "logits", 1, classes)
    return g.model()
