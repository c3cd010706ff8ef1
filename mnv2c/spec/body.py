"""The body that all networks share: the stem and the bottlenecks of Table 2."""

from __future__ import annotations

from mnv2c.spec.builder import Builder
from mnv2c.spec.channels import scaled, stem_channels
from mnv2c.spec.layer import Layer
from mnv2c.spec.table2 import EXPANSION, STEM_STRIDE


def body(net: Builder) -> None:
    """Append the stem and the bottlenecks; ``net.tap`` becomes what the last depthwise layer with stride 2 reads."""
    spec = net.spec
    stride, dilation = net.window(STEM_STRIDE)
    net.spatial("stem", "stem", stem_channels(spec.width, spec.stem_head), 1, stride, dilation)
    number = 0
    for row in spec.rows:
        t = spec.expansion if row.t == EXPANSION else row.t
        expanded: Layer | None = None
        for repeat in range(row.n):
            number += 1
            stride = row.s if repeat == 0 else 1
            expanded = _block(net, f"block_{number}", t, scaled(row.c, spec.width), stride, expanded)


def _block(net: Builder, name: str, t: int, channels: int, stride: int, peer: Layer | None) -> Layer | None:
    """One inverted residual (Table 1); returns its expanded layer, which the next block of its line may add."""
    spec, start = net.spec, net.layers[-1]
    expanded = None
    if t > 1:
        expanded = net.pointwise(f"{name}.expand", "expand", t * start.output_shape[2], "relu6")
        if spec.shortcut == "expansion" and peer is not None and peer.output_shape == net.shape:
            expanded = net.weightless(f"{name}.add", "add", net.shape, peer)
    if stride > 1:
        net.tap = expanded or start
    stride, dilation = net.window(stride)
    net.depthwise(f"{name}.depthwise", stride, dilation)
    net.pointwise(f"{name}.project", "project", channels, spec.bottleneck_activation)
    if spec.shortcut == "bottleneck" and stride == 1 and net.shape[2] == start.output_shape[2]:
        net.weightless(f"{name}.add", "add", net.shape, start)
    return expanded
