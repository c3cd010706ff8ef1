"""MobileNetV1 and V2 and their nearest relatives, by the tables of their papers and of torchvision and timm."""

from __future__ import annotations

import onnx

from tests.zoo.blocks import BRANCH, conv_norm, depthwise, divisible, inverted_residual, separable
from tests.zoo.graph import Graph, Map

Rows = tuple[tuple[int, int, int, int], ...]
"""Expansion, channels, repeats, stride of the first."""

MOBILENET_V2: Rows = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
)  # fmt: skip
"""Sandler et al. 2018, table 2."""


def mobilenet_v2(
    size: int = 224, width: float = 1.0, classes: int = 1000, rows: Rows = MOBILENET_V2
) -> onnx.ModelProto:
    g = Graph(size)
    x = conv_norm(g, g.image, divisible(32 * width), 3, 2, act="relu6")
    for expansion, channels, repeats, stride in rows:
        for block in range(repeats):
            hidden = None if expansion == 1 else expansion * x.channels
            x = inverted_residual(g, x, divisible(channels * width), stride if block == 0 else 1, hidden=hidden)
    return g.classify(conv_norm(g, x, divisible(1280 * max(width, 1.0)), act="relu6"), classes)


def between_expansions(
    size: int = 224, width: float = 1.0, classes: int = 1000, rows: Rows = MOBILENET_V2
) -> onnx.ModelProto:
    """MobileNetV2 with its shortcuts between the expanded maps, not the bottlenecks: figure 6b of the same paper."""
    g = Graph(size)
    x = conv_norm(g, g.image, divisible(32 * width), 3, 2, act="relu6")
    expanded: Map | None = None
    for expansion, channels, repeats, stride in rows:
        for block in range(repeats):
            y = x if expansion == 1 else conv_norm(g, x, expansion * x.channels, act="relu6")
            if expanded is not None and (expanded.channels, expanded.rows) == (y.channels, y.rows):
                y = g.add(y, expanded)
            expanded = y
            seen = depthwise(g, y, 3, stride if block == 0 else 1, act="relu6")
            x = conv_norm(g, seen, divisible(channels * width))
    return g.classify(conv_norm(g, x, divisible(1280 * max(width, 1.0)), act="relu6"), classes)


MOBILENET_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1)
)  # fmt: skip
"""Channels, stride: Howard et al. 2017, table 1."""


def mobilenet_v1(size: int = 224, width: float = 1.0, classes: int = 1000) -> onnx.ModelProto:
    g = Graph(size)
    return g.classify(mobilenet_v1_maps(g, width)[-1], classes)


def mobilenet_v1_maps(g: Graph, width: float = 1.0, act: str = "relu", output_stride: int = 32) -> list[Map]:
    """Return the result of every block; beyond ``output_stride``, dilation takes the place of strides."""
    maps = [conv_norm(g, g.image, divisible(32 * width), 3, 2, act=act)]
    reduced, dilation = 2, 1
    for channels, stride in MOBILENET_V1:
        step = stride if reduced * stride <= output_stride else 1
        maps.append(separable(g, maps[-1], divisible(channels * width), step, act=act, dilation=dilation))
        reduced, dilation = reduced * step, dilation * stride // step
    return maps


Kernels = tuple[tuple[int, int, int, int, int], ...]
"""Expansion, channels, repeats, stride of the first, kernel."""

MNASNET: Kernels = (
    (3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5), (6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)
)  # fmt: skip
EFFICIENTNET: Kernels = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip


def mnasnet(size: int = 224, width: float = 1.0, classes: int = 1000) -> onnx.ModelProto:
    """MnasNet as torchvision has it: Tan et al. 2018."""
    g = Graph(size)
    x = conv_norm(g, g.image, divisible(32 * width), 3, 2, act="relu")
    x = conv_norm(g, depthwise(g, x, act="relu"), divisible(16 * width))
    return g.classify(conv_norm(g, inverted(g, x, MNASNET, "relu", width), 1280, act="relu"), classes)


def efficientnet_lite0(size: int = 224, width: float = 1.0, classes: int = 1000) -> onnx.ModelProto:
    """EfficientNet-B0 without squeeze-excite and with ReLU6; pads as TensorFlow does."""
    g = Graph(size)
    x = conv_norm(g, g.image, 32, 3, 2, padding="same", act="relu6")
    return g.classify(conv_norm(g, inverted(g, x, EFFICIENTNET, "relu6", width, "same"), 1280, act="relu6"), classes)


def inverted(g: Graph, x: Map, rows: Kernels, act: str, width: float = 1.0, padding: str | None = None) -> Map:
    for expansion, channels, repeats, stride, kernel in rows:
        for block in range(repeats):
            hidden = None if expansion == 1 else expansion * x.channels
            step, wide = stride if block == 0 else 1, divisible(channels * width)
            x = inverted_residual(g, x, wide, step, hidden=hidden, kernel=kernel, act=act, padding=padding)
    return x


MOBILEONE_S0 = ((48, 2), (128, 8), (256, 10), (1024, 1))


def mobileone_s0(
    size: int = 224, classes: int = 1000, stages: tuple[tuple[int, int], ...] = MOBILEONE_S0
) -> onnx.ModelProto:
    """Vasu et al. 2022 in its deploy form: convolutions with a bias, no norm and no shortcut."""
    g = Graph(size)
    x = g.act(g.conv(g.image, stages[0][0], 3, 2, bias=True), "relu")
    for channels, depth in stages:
        for block in range(depth):
            seen = g.conv(x, x.channels, 3, 2 if block == 0 else 1, groups=x.channels, bias=True)
            x = g.act(g.conv(g.act(seen, "relu"), channels, bias=True), "relu")
    return g.classify(x, classes)


Universal = tuple[int, int, int, int, int]
"""Kernel of the first depthwise convolution (0: none), of the second, stride, expansion, channels."""

V4_SMALL: tuple[Universal, ...] = (
    (5, 5, 2, 3, 96), *((0, 3, 1, 2, 96),) * 4, (3, 0, 1, 4, 96),
    (3, 3, 2, 6, 128), (5, 5, 1, 4, 128), (0, 5, 1, 4, 128), (0, 5, 1, 3, 128), *((0, 3, 1, 4, 128),) * 2,
)  # fmt: skip
V4_MEDIUM: tuple[Universal, ...] = (
    (3, 5, 2, 4, 80), (3, 3, 1, 2, 80),
    (3, 5, 2, 6, 160), *((3, 3, 1, 4, 160),) * 2, (3, 5, 1, 4, 160), (3, 3, 1, 4, 160), (3, 0, 1, 4, 160),
    (0, 0, 1, 2, 160), (3, 0, 1, 4, 160),
    (5, 5, 2, 6, 256), (5, 5, 1, 4, 256), *((3, 5, 1, 4, 256),) * 2, (0, 0, 1, 4, 256), (3, 0, 1, 4, 256),
    (3, 5, 1, 2, 256), (5, 5, 1, 4, 256), *((0, 0, 1, 4, 256),) * 2, (5, 0, 1, 2, 256),
)  # fmt: skip


def universal(g: Graph, x: Map, block: Universal) -> Map:
    """MobileNetV4's universal inverted bottleneck: a depthwise convolution before the expansion, behind it, or both."""
    first, second, stride, expansion, channels = block
    y = depthwise(g, x, first, 1 if second else stride) if first else x
    y = conv_norm(g, y, divisible(x.channels * expansion), act="relu")
    if second:
        y = depthwise(g, y, second, stride, act="relu")
    adds = stride == 1 and x.channels == channels
    y = conv_norm(g, y, channels, gain=BRANCH if adds else 1.0)
    return g.add(y, x) if adds else y


def mobilenet_v4_conv_small(
    size: int = 224, classes: int = 1000, blocks: tuple[Universal, ...] = V4_SMALL
) -> onnx.ModelProto:
    """Qin et al. 2024."""
    g = Graph(size)
    x = conv_norm(g, g.image, 32, 3, 2, act="relu")
    x = conv_norm(g, conv_norm(g, x, 32, 3, 2, act="relu"), 32, act="relu")
    x = conv_norm(g, conv_norm(g, x, 96, 3, 2, act="relu"), 64, act="relu")
    return _v4_head(g, x, blocks, classes)


def mobilenet_v4_conv_medium(
    size: int = 224, classes: int = 1000, blocks: tuple[Universal, ...] = V4_MEDIUM
) -> onnx.ModelProto:
    g = Graph(size)
    x = conv_norm(g, g.image, 32, 3, 2, act="relu")
    x = conv_norm(g, conv_norm(g, x, 128, 3, 2, act="relu"), 48)
    return _v4_head(g, x, blocks, classes)


def _v4_head(g: Graph, x: Map, blocks: tuple[Universal, ...], classes: int) -> onnx.ModelProto:
    for block in blocks:
        x = universal(g, x, block)
    x = conv_norm(g, g.mean(conv_norm(g, x, 960, act="relu")), 1280, act="relu")
    g.output(g.dense(x, classes), "logits", 1, classes)
    return g.model()
