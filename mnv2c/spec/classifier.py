"""The head of the classifier: the last three lines of Table 2."""

from __future__ import annotations

from mnv2c.spec.builder import Builder
from mnv2c.spec.channels import last_channels
from mnv2c.spec.layer import Layer


def last_pointwise(net: Builder) -> Layer:
    """The 1x1 convolution behind the last bottleneck, to 1280 channels."""
    return net.pointwise("head.pointwise", "pointwise", last_channels(net.spec.width, net.spec.stem_head), "relu6")


def classifier(net: Builder) -> None:
    """Append the head; the final 1x1 convolution on one pixel is a fully connected layer."""
    last_pointwise(net)
    net.pool("head.pool")
    net.append(Layer("head.dense", "dense", net.last, net.shape, (1, 1, net.spec.classes)))
