"""The body of MobileNetV2 as a PyTorch module, and the classifier, from the model description and the paper alone.

Nothing here looks at ``mnv2c.spec.layers`` or at the ONNX emitter, so that a mistake in them shows as a difference.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from mnv2c.learning.reference.blocks import Bottleneck, Convolution
from mnv2c.spec import ModelSpec

Layout = Literal["nchw", "nhwc"]

STEM = 32  # Table 2, first line
HEAD = 1280  # Table 2, last convolution
SHARED_T = 6  # the expansion factor that a spec's ``expansion`` replaces


def rounded(channels: int, width: float) -> int:
    """The nearest multiple of 8 to ``channels * width``, not more than a tenth below it."""
    exact = channels * width
    nearest = max(8, 8 * int((exact + 4) // 8))
    return nearest if nearest >= 0.9 * exact else nearest + 8


class Body(nn.Module):
    """The stem and the bottlenecks. The submodules bear the names of mnv2c's layers.

    ``channels`` are those of the last bottleneck, ``tap_channels`` those of what the last bottleneck with stride 2 has
    behind its expansion.
    """

    def __init__(self, spec: ModelSpec, layout: Layout = "nchw") -> None:
        super().__init__()
        self.layout = layout
        channels = STEM if spec.stem_head == "fixed" else rounded(STEM, spec.width)
        self.stem = Convolution(spec, 3, channels, kernel=3, stride=2)
        self.lines: list[list[str]] = []  # names of the blocks, by line of Table 2
        self.tap, self.tap_channels = "", 0
        reached, rate = 2, 1  # stride relative to the image; dilation of the next spatial convolution
        for row in spec.rows:
            self.lines.append([])
            for repeat in range(row.n):
                asked = row.s if repeat == 0 else 1
                if reached < spec.output_stride:
                    stride, dilation, reached = asked, 1, reached * asked
                else:  # the block that loses its stride keeps the rate, as in TF-Slim
                    stride, dilation, rate = 1, rate, rate * asked
                outputs = rounded(row.c, spec.width)
                t = spec.expansion if row.t == SHARED_T else row.t
                name = self._append(Bottleneck(spec, channels, outputs, t=t, stride=stride, dilation=dilation))
                if asked == 2:
                    self.tap, self.tap_channels = name, t * channels
                channels = outputs
        self.channels = channels

    def _append(self, block: Bottleneck) -> str:
        name = f"block_{sum(map(len, self.lines)) + 1}"
        self.lines[-1].append(name)
        self.add_module(name, block)
        return name

    def features(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map an image of the module's layout to the last bottleneck's output and the tap, both NCHW."""
        x: torch.Tensor = self.stem(image.permute(0, 3, 1, 2) if self.layout == "nhwc" else image)
        tap = x
        for line in self.lines:
            expanded: torch.Tensor | None = None
            for name in line:
                before = x
                x, expanded = self.get_submodule(name)(x, expanded)
                if name == self.tap:
                    tap = before if expanded is None else expanded
        return x, tap


def last_convolution(spec: ModelSpec, channels: int) -> Convolution:
    """Table 2's last convolution but one: 1x1, not shrunk below width 1."""
    return Convolution(spec, channels, HEAD if spec.stem_head == "fixed" else rounded(HEAD, max(1.0, spec.width)))


class Classifier(Body):
    """A MobileNetV2 classifier; ``eval()`` it for inference, as every PyTorch module with batch normalisation.

    ``layout`` is that of the input: "nchw" [N, 3, H, W], which PyTorch is used to, or "nhwc" [N, H, W, 3], which
    mnv2c's libraries take. The output is [N, classes], logits. The submodules bear the names of mnv2c's layers, with
    "_" for "." in "head.pointwise" and "head.dense".
    """

    def __init__(self, spec: ModelSpec, layout: Layout = "nchw") -> None:
        super().__init__(spec, layout)
        self.head_pointwise = last_convolution(spec, self.channels)
        self.head_dense = nn.Linear(self.head_pointwise.conv.out_channels, spec.classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image of the module's layout to logits [N, classes]."""
        pooled = self.head_pointwise(self.features(image)[0]).mean((2, 3))
        logits: torch.Tensor = self.head_dense(pooled)
        return logits
