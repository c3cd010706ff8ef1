"""The head of the detectors (section 6.2): four extra layers, and what is predicted on six feature maps.

The first map is what the last depthwise layer with stride 2 reads: the expansion of the paper's layer 15, at output
stride 16. The second is the last layer, at output stride 32; every extra layer halves the map again. Names: the layers
of an extra are ``extra_1.squeeze``, ``extra_1.depthwise`` (or ``extra_1.regular``) and ``extra_1.pointwise``; those of
a map ``boxes_1.depthwise``, ``boxes_1.predict``, ``scores_1.depthwise`` and ``scores_1.predict``; ``boxes`` (1, N, 4)
and ``scores`` (1, N, classes) are the results of all maps in order of map, row, column, anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mnv2c.errors import SpecError
from mnv2c.spec.builder import Builder
from mnv2c.spec.channels import scaled
from mnv2c.spec.classifier import last_pointwise
from mnv2c.spec.layer import Layer
from mnv2c.spec.priors import CONVENTIONS

COORDINATES = 4
Prediction = Literal["separable", "regular", "pointwise"]


@dataclass(frozen=True)
class DetectorHead:
    """What one kind of SSD head is made of.

    ``extras`` are the inner and the outer channels of each extra layer at width 1; a ``separable`` one is a 1x1, a
    depthwise 3x3 with stride 2 and a 1x1 convolution, the other a 1x1 and a regular 3x3 one. ``activation`` ends an
    extra layer. ``predictions`` says what predicts on each map.
    """

    extras: tuple[tuple[int, int], ...]
    separable: bool
    predictions: tuple[Prediction, ...]
    activation: str = "relu6"
    follows_width: bool = True


SEPARABLE: tuple[Prediction, ...] = ("separable",) * 6
PUBLISHED_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))

HEADS: dict[str, DetectorHead] = {
    "ssdlite": DetectorHead(PUBLISHED_EXTRAS, separable=True, predictions=SEPARABLE),
    "ssd": DetectorHead(PUBLISHED_EXTRAS, separable=False, predictions=("regular",) * 6),
    "qfgaohao": DetectorHead(
        ((256, 512), (128, 256), (128, 256), (64, 64)),
        separable=True,
        predictions=(*SEPARABLE[:5], "pointwise"),
        activation="linear",
        follows_width=False,
    ),
}
"""The values of the spec's ``detector_head``: section 6.2, Table 5's regular convolutions, qfgaohao's mb2-ssd-lite."""


def detector(net: Builder) -> None:
    """Append the last 1x1 convolution, the extra layers and the predictions; raises SpecError without stride 2.

    Each map's predictions come before the layer that makes the next map, so that no map has to be kept.
    """
    if net.tap is None:
        raise SpecError(f"{net.spec.name}: a detector needs a line of stride 2 in rows, for its first feature map")
    head, anchors = HEADS[net.spec.detector_head], CONVENTIONS[net.spec.boxes].anchors_per_map
    last, source = net.layers[-1], net.tap
    predicted: dict[str, list[Layer]] = {"boxes": [], "scores": []}
    for number, (how, count) in enumerate(zip(head.predictions, anchors, strict=True), start=1):
        if number > 1:
            net.at(last)
            last = source = last_pointwise(net) if number == 2 else _extra(net, number - 2, head)
        for output, layers in predicted.items():
            layers.append(_predict(net, f"{output}_{number}", source, how, count * _values(net, output)))
    for output, layers in predicted.items():
        cells = [
            count * layer.output_shape[0] * layer.output_shape[1] for count, layer in zip(anchors, layers, strict=True)
        ]
        net.at(layers[0])
        net.weightless(output, "stack", (1, sum(cells), _values(net, output)), *layers[1:])


def _values(net: Builder, output: str) -> int:
    """Numbers per prior box."""
    return COORDINATES if output == "boxes" else net.spec.classes


def feature_maps(layers: tuple[Layer, ...]) -> tuple[tuple[int, int], ...]:
    """Return (rows, columns) of the maps that a detector predicts on, in order."""
    stack = next(layer for layer in layers if layer.name == "boxes")
    sizes = {layer.name: layer.output_shape[:2] for layer in layers}
    return tuple(sizes[name] for name in stack.inputs)


def _extra(net: Builder, number: int, head: DetectorHead) -> Layer:
    channels, name = head.extras[number - 1], f"extra_{number}"
    inner, outer = (scaled(count, net.spec.width) if head.follows_width else count for count in channels)
    net.pointwise(f"{name}.squeeze", "pointwise", inner, "relu6")
    if not head.separable:
        return net.spatial(f"{name}.regular", "regular", outer, 1, stride=2)
    net.depthwise(f"{name}.depthwise", stride=2)
    return net.pointwise(f"{name}.pointwise", "pointwise", outer, head.activation)


def _predict(net: Builder, name: str, source: Layer, how: Prediction, channels: int) -> Layer:
    net.at(source)
    if how == "regular":
        return net.spatial(f"{name}.predict", "regular", channels, 1, activation="linear", bias=True)
    if how == "separable":
        net.depthwise(f"{name}.depthwise")
    return net.pointwise(f"{name}.predict", "pointwise", channels, "linear", bias=True)
