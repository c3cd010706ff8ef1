"""A detector with the tensor names of qfgaohao's ``mb2-ssd-lite``, written from the list of them.

``base_net`` is one flat list: the stem, 17 blocks whose ``conv`` holds everything, the last 1x1 convolution. The first
map is read inside block 14, behind its third module. The depthwise convolutions of the headers have a bias.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mnv2c.spec.table2 import TABLE2

CLASSES = 21
ANCHORS = 6


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, ratio: float) -> None:
        super().__init__()
        inner = round(inputs * ratio)
        expand = [] if ratio == 1 else [*convolution(inputs, inner), nn.ReLU6()]
        middle = [*convolution(inner, inner, 3, stride, inner), nn.ReLU6()]
        self.conv = nn.Sequential(*expand, *middle, *convolution(inner, outputs))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.adds else self.conv(x)


def header(inputs: int, values: int) -> nn.Module:
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
    return nn.Sequential(depthwise, nn.BatchNorm2d(inputs), nn.ReLU6(), nn.Conv2d(inputs, values, 1))


class Mb2SsdLite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Sequential(*convolution(3, 32, 3, 2), nn.ReLU6())]
        channels = 32
        for t, c, n, s in TABLE2:
            for repeat in range(n):
                parts.append(Residual(channels, c, s if repeat == 0 else 1, t))
                channels = c
        parts.append(nn.Sequential(*convolution(channels, 1280), nn.ReLU6()))
        self.base_net = nn.ModuleList(parts)
        extras = [(1280, 512, 0.2), (512, 256, 0.25), (256, 256, 0.5), (256, 64, 0.25)]
        self.extras = nn.ModuleList(Residual(i, o, 2, ratio) for i, o, ratio in extras)
        maps = [576, 1280, 512, 256, 256]
        for name, values in (("regression_headers", 4), ("classification_headers", CLASSES)):
            heads = [header(inputs, ANCHORS * values) for inputs in maps]
            setattr(self, name, nn.ModuleList([*heads, nn.Conv2d(64, ANCHORS * values, 1)]))

    def forward(self, x: Any) -> tuple[Any, Any]:
        """Raw boxes and scores of NCHW images."""
        maps = []
        for index, part in enumerate(self.base_net):
            if index == 14:
                maps.append(part.conv[:3](x))
            x = part(x)
        maps.append(x)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        boxes = [self._rows(head(x), 4) for head, x in zip(self.regression_headers, maps, strict=True)]
        scores = [self._rows(head(x), CLASSES) for head, x in zip(self.classification_headers, maps, strict=True)]
        return torch.cat(boxes, 1), torch.cat(scores, 1)

    @staticmethod
    def _rows(x: Any, values: int) -> Any:
        return x.permute(0, 2, 3, 1).reshape(len(x), -1, values)
