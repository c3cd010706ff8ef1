"""Other counts of detectors and segmenters that the paper's tables print: heads alone, padded, of several sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from mnv2c.spec.layer import Layer
from mnv2c.spec.layers import layers
from mnv2c.spec.model import MAXIMUM_SIZE, MINIMUM_SIZE, ModelSpec

SCALES = (
    0.5,
    0.75,
    1.0,
    1.25,
    1.5,
    1.75,
)  # of the paper's MF: multi-scale inputs, each also flipped from left to right
FLIPS = 2


@dataclass(frozen=True)
class HeadCost:
    """Parameters with batch normalisation, and multiply-adds."""

    parameters: int
    madds: int


def detector_head_cost(spec: ModelSpec) -> HeadCost:
    """Count the extra and the prediction layers of a detector alone, as the paper's Table 5 does."""
    head = [layer for layer in layers(spec) if layer.name.startswith(("extra_", "boxes_", "scores_"))]
    return HeadCost(sum(layer.parameters for layer in head), sum(layer.madds for layer in head))


def padded_madds(spec: ModelSpec) -> int:
    """Count MAdds with ASPP's convolutions on a map padded to a multiple of their rate, as TensorFlow computed them.

    There a dilated convolution is a dense one on ``rate`` x ``rate`` interleaved pieces of the map, all of one size.
    """
    return sum(_padded(layer) if layer.kind == "regular" else layer.madds for layer in layers(spec))


def _padded(layer: Layer) -> int:
    rate = layer.dilation[0]
    return prod(-(-size // rate) * rate for size in layer.output_shape[:2]) * prod(layer.weight_shape)


def multi_scale(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """Return the network at the sizes of MF inference; none where one of them would be too small or too large."""
    sizes = [tuple(int((extent - 1) * scale) + 1 for extent in (spec.height, spec.image_width)) for scale in SCALES]
    if min(map(min, sizes)) < MINIMUM_SIZE or max(map(max, sizes)) > MAXIMUM_SIZE:
        return ()
    return tuple(replace(spec, height=height, image_width=width) for height, width in sizes)
