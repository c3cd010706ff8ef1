"""SSDLite and SSD as PyTorch modules, from the model description and section 6.2 of the paper."""

from __future__ import annotations

import torch
from torch import nn

from mnv2c.learning.reference.blocks import Convolution
from mnv2c.learning.reference.network import Body, Layout, last_convolution, rounded
from mnv2c.spec import ModelSpec
from mnv2c.spec.priors import CONVENTIONS

EXTRAS = (512, 256, 256, 128)  # channels of the extra layers; half of them inside
QFGAOHAO_LAST = 64  # channels of that source's last extra layer, which has as many inside


class Extra(nn.Module):
    """An extra layer, which halves the map: 1x1, then 3x3 with stride 2, regular or depthwise with a 1x1 behind."""

    def __init__(self, spec: ModelSpec, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = Convolution(spec, inputs, inner)
        self.regular: Convolution | None = None
        if spec.detector_head == "ssd":
            self.regular = Convolution(spec, inner, outputs, kernel=3, stride=2)
            return
        last = "linear" if spec.detector_head == "qfgaohao" else "relu6"
        self.depthwise = Convolution(spec, inner, inner, kernel=3, stride=2, groups=inner)
        self.pointwise = Convolution(spec, inner, outputs, activation=last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map float32 [N, C, H, W] to [N, C', ceil(H / 2), ceil(W / 2)]."""
        inner = self.squeeze(x)
        y: torch.Tensor = self.pointwise(self.depthwise(inner)) if self.regular is None else self.regular(inner)
        return y


class Prediction(nn.Module):
    """``anchors`` boxes at every pixel of a map, ``values`` numbers for each.

    Before the convolution that predicts comes a depthwise one, or with ``kernel`` 3 none: then it is a regular 3x3 one.
    """

    def __init__(
        self, spec: ModelSpec, inputs: int, anchors: int, values: int, *, separable: bool, kernel: int = 1
    ) -> None:
        super().__init__()
        self.values = values
        self.depthwise = Convolution(spec, inputs, inputs, kernel=3, groups=inputs) if separable else None
        self.predict = nn.Conv2d(inputs, anchors * values, kernel, padding=kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map float32 [N, C, H, W] to [N, H * W * anchors, values]."""
        predicted = self.predict(x if self.depthwise is None else self.depthwise(x))
        return predicted.permute(0, 2, 3, 1).reshape(len(x), -1, self.values)


class Detector(Body):
    """An SSDLite or SSD detector; the outputs are raw boxes [N, boxes, 4] and raw scores [N, boxes, classes].

    ``layout`` is the input's, as for ``Classifier``. The submodules bear the names of mnv2c's layers, with "_" for "."
    in "head.pointwise". What the numbers of a box mean is the convention's, ``spec.boxes``.
    """

    def __init__(self, spec: ModelSpec, layout: Layout = "nchw") -> None:
        super().__init__(spec, layout)
        self.head_pointwise = last_convolution(spec, self.channels)
        maps = [self.tap_channels, self.head_pointwise.conv.out_channels]
        self.extras: list[str] = []
        for number, (inner, outputs) in enumerate(_extra_channels(spec), start=1):
            self.extras.append(f"extra_{number}")
            self.add_module(self.extras[-1], Extra(spec, maps[-1], inner, outputs))
            maps.append(outputs)
        kernel = 3 if spec.detector_head == "ssd" else 1
        anchors = CONVENTIONS[spec.boxes].anchors_per_map
        for number, (channels, count) in enumerate(zip(maps, anchors, strict=True), start=1):
            alone = spec.detector_head == "ssd" or (spec.detector_head == "qfgaohao" and number == len(maps))
            for output, values in (("boxes", 4), ("scores", spec.classes)):
                head = Prediction(spec, channels, count, values, separable=not alone, kernel=kernel)
                self.add_module(f"{output}_{number}", head)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map an image of the module's layout to (boxes, scores), by map, row, column and anchor."""
        x, tap = self.features(image)
        maps = [tap, self.head_pointwise(x)]
        for name in self.extras:
            maps.append(self.get_submodule(name)(maps[-1]))
        boxes, scores = (
            torch.cat([self.get_submodule(f"{output}_{i}")(x) for i, x in enumerate(maps, start=1)], 1)
            for output in ("boxes", "scores")
        )
        return boxes, scores


def _extra_channels(spec: ModelSpec) -> list[tuple[int, int]]:
    """Inner and outer channels of the extra layers."""
    if spec.detector_head == "qfgaohao":  # never scaled
        return [*((outputs // 2, outputs) for outputs in EXTRAS[:-1]), (QFGAOHAO_LAST, QFGAOHAO_LAST)]
    return [(rounded(outputs // 2, spec.width), rounded(outputs, spec.width)) for outputs in EXTRAS]
