"""The blocks that mobile networks are made of."""

from __future__ import annotations

from collections.abc import Callable

from tests.zoo.graph import Graph, Map

BRANCH = 0.4
"""Gain of what is added to a shortcut: random networks have no training that keeps their sums from growing."""


GATE = 0.1
"""Gain of the weights before a gate, without which most of a random network's gates would be shut or open."""


def divisible(value: float, by: int = 8) -> int:
    """Round channels to a multiple, never down by more than a tenth."""
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def conv_norm(
    g: Graph,
    x: Map,
    channels: int,
    kernel: int | tuple[int, int] = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    dilation: int = 1,
    padding: int | str | None = None,
    act: str | None = None,
    epsilon: float = 1e-5,
    gain: float = 1.0,
) -> Map:
    """Convolution, batch normalisation, activation."""
    y = g.conv(x, channels, kernel, stride, groups=groups, dilation=dilation, padding=padding)
    return g.act(g.norm(y, epsilon, gain), act)


def depthwise(
    g: Graph,
    x: Map,
    kernel: int = 3,
    stride: int = 1,
    *,
    dilation: int = 1,
    padding: int | str | None = None,
    act: str | None = None,
) -> Map:
    return conv_norm(g, x, x.channels, kernel, stride, groups=x.channels, dilation=dilation, padding=padding, act=act)


def squeeze_excite(
    g: Graph, x: Map, channels: int, act: str = "relu", gate: str = "hsigmoid", gate_first: bool = False
) -> Map:
    """Scale the channels by what a mean of the image says; ``gate_first`` as torchvision writes the product."""
    hidden = g.act(g.conv(g.mean(x), channels, bias=True, gain=GATE), act)
    scale = g.act(g.conv(hidden, x.channels, bias=True, gain=GATE), gate)
    return g.like(x, g.mul(scale, x).name) if gate_first else g.mul(x, scale)


def inverted_residual(
    g: Graph,
    x: Map,
    channels: int,
    stride: int = 1,
    *,
    hidden: int | None = None,
    kernel: int = 3,
    act: str = "relu6",
    padding: int | str | None = None,
    dilation: int = 1,
    excite: Callable[[Map], Map] | None = None,
) -> Map:
    """Expand (unless ``hidden`` is None), depthwise, perhaps squeeze-excite, project; a shortcut where shapes agree."""
    y = x if hidden is None else conv_norm(g, x, hidden, act=act)
    y = depthwise(g, y, kernel, stride, dilation=dilation, padding=padding, act=act)
    adds = stride == 1 and x.channels == channels
    y = conv_norm(g, y if excite is None else excite(y), channels, gain=BRANCH if adds else 1.0)
    return g.add(x, y) if adds else y


def separable(
    g: Graph,
    x: Map,
    channels: int,
    stride: int = 1,
    *,
    act: str = "relu",
    padding: int | str | None = None,
    dilation: int = 1,
) -> Map:
    """MobileNetV1's block: depthwise, pointwise."""
    return conv_norm(g, depthwise(g, x, 3, stride, act=act, padding=padding, dilation=dilation), channels, act=act)
