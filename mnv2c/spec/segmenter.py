"""The head of DeepLabv3 (section 6.3), on the last bottleneck's map: no last 1x1 convolution before it.

Branches of 256 channels: ``head.image``, a 1x1 convolution of the mean of the map (``head.pool``), spread over the map
again (``head.broadcast``); ``head.branch_0``, a 1x1 convolution; with ASPP ``head.branch_1`` to ``_3``, dilated regular
3x3 convolutions. ``head.concat`` joins them in this order, ``head.project`` takes them to 256 channels and
``head.classes`` to the classes. The output is that, or ``mask``, the class of the largest logit of every pixel after
``head.upsample`` to the size of the image.
"""

from __future__ import annotations

from mnv2c.spec.builder import Builder
from mnv2c.spec.model import ModelSpec

BRANCH_CHANNELS = 256  # whatever the width multiplier
RATES_AT_ONE = (96, 192, 288)  # of ASPP, times the output stride: 6, 12, 18 at 16 and twice that at 8


def rates(spec: ModelSpec) -> tuple[int, ...]:
    """Return the dilations of ASPP's branches; none without ASPP."""
    return tuple(rate // spec.output_stride for rate in RATES_AT_ONE) if spec.aspp else ()


def segmenter(net: Builder) -> None:
    """Append the head, and what follows the logits where the output is the mask."""
    spec, source = net.spec, net.layers[-1]
    height, width, _ = net.shape
    net.bn_epsilon = spec.head_bn_epsilon
    net.pool("head.pool")
    net.pointwise("head.image", "pointwise", BRANCH_CHANNELS, spec.head_activation)
    branches = [net.weightless("head.broadcast", "broadcast", (height, width, BRANCH_CHANNELS))]
    net.at(source)
    branches.append(net.pointwise("head.branch_0", "pointwise", BRANCH_CHANNELS, spec.head_activation))
    for number, rate in enumerate(rates(spec), start=1):
        net.at(source)
        name = f"head.branch_{number}"
        branches.append(net.spatial(name, "regular", BRANCH_CHANNELS, 1, 1, rate, spec.head_activation))
    net.at(branches[0])
    net.weightless("head.concat", "concat", (height, width, len(branches) * BRANCH_CHANNELS), *branches[1:])
    net.pointwise("head.project", "pointwise", BRANCH_CHANNELS, spec.head_activation)
    net.pointwise("head.classes", "pointwise", spec.classes, "linear", bias=True)
    if spec.output == "mask":
        net.weightless("head.upsample", "resize", (spec.height, spec.image_width, spec.classes))
        net.weightless("mask", "argmax", (spec.height, spec.image_width, 1))
