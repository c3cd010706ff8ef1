"""From a model description to its layers: shapes, windows, parameters and MAdds, in execution order.

A block is named ``block_1`` to ``block_17``; its layers are ``expand`` (absent when t = 1), ``depthwise``,
``project`` and ``add``. Where the ``add`` stands depends on the spec's ``shortcut``:

- ``bottleneck``: after ``project``, joined with the block's input, when the stride is 1 and the channels agree
  (paper, section 4).
- ``expansion`` (Figure 6b): after ``expand``, joined with the expanded tensor (after ReLU6, and after its own
  ``add`` if it has one) of the block before it in the same line, when both have the same shape.
- ``none``: nowhere.

What follows the blocks is the family's: ``mnv2c.spec.classifier``, ``.detector`` or ``.segmenter``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod

from mnv2c.errors import SpecError
from mnv2c.spec.body import body
from mnv2c.spec.builder import Builder
from mnv2c.spec.classifier import classifier
from mnv2c.spec.detector import detector
from mnv2c.spec.layer import Layer
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.segmenter import segmenter

MAXIMUM_PARAMETERS = 400_000_000  # an ONNX file holds at most 2 GiB
MAXIMUM_ELEMENTS = 1 << 29  # of one tensor: 2 GiB of float32, so that int32 byte offsets reach everywhere

HEADS: dict[str, Callable[[Builder], None]] = {
    "classifier": classifier,
    "detector": detector,
    "segmenter": segmenter,
}


@lru_cache(maxsize=64)
def layers(spec: ModelSpec) -> tuple[Layer, ...]:
    """Return the layers in execution order; raises SpecError when the model is too large to be compiled."""
    net = Builder(spec)
    body(net)
    HEADS[spec.family](net)
    parameters = sum(layer.parameters for layer in net.layers)
    if parameters > MAXIMUM_PARAMETERS:
        raise SpecError(
            f"{spec.name} has {parameters:,} parameters; {MAXIMUM_PARAMETERS:,} are possible: "
            "reduce width, expansion or classes"
        )
    largest = max(net.layers, key=lambda layer: prod(layer.output_shape))
    if prod(largest.output_shape) > MAXIMUM_ELEMENTS:
        raise SpecError(
            f"{spec.name}: layer {largest.name} has {prod(largest.output_shape):,} elements; "
            f"{MAXIMUM_ELEMENTS:,} are possible: reduce resolution, width or expansion"
        )
    return tuple(net.layers)
