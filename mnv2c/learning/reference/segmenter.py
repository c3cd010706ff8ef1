"""DeepLabv3 as a PyTorch module, from the model description and section 6.3 of the paper."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mnv2c.learning.reference.blocks import Convolution
from mnv2c.learning.reference.network import Body, Layout
from mnv2c.spec import ModelSpec

BRANCH = 256  # channels of every branch and of the projection
RATE_AT_16 = 6  # of ASPP's first branch; the others have twice and thrice that


class Segmenter(Body):
    """A DeepLabv3 segmenter; the output is the mask uint8 [N, H, W], or with ``spec.output`` "logits" those.

    ``layout`` is the input's, as for ``Classifier``; logits are [N, h, w, classes]. The submodules bear the names of
    mnv2c's layers, with "_" for "." in those that begin with "head.". A mask has no gradient: train on logits.
    """

    def __init__(self, spec: ModelSpec, layout: Layout = "nchw") -> None:
        super().__init__(spec, layout)
        self.spec = spec
        rate = RATE_AT_16 * 16 // spec.output_stride
        self.branches = ["head_branch_0"]
        self.head_image = self._convolution(self.channels)
        self.head_branch_0 = self._convolution(self.channels)
        for number in (1, 2, 3) if spec.aspp else ():
            self.branches.append(f"head_branch_{number}")
            self.add_module(self.branches[-1], self._convolution(self.channels, kernel=3, dilation=number * rate))
        self.head_project = self._convolution((1 + len(self.branches)) * BRANCH)
        self.head_classes = nn.Conv2d(BRANCH, spec.classes, 1)

    def _convolution(self, inputs: int, *, kernel: int = 1, dilation: int = 1) -> Convolution:
        spec = self.spec
        return Convolution(
            spec,
            inputs,
            BRANCH,
            kernel=kernel,
            dilation=dilation,
            activation=spec.head_activation,
            epsilon=spec.head_bn_epsilon,
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image of the module's layout to the mask or the logits."""
        x, _ = self.features(image)
        whole = self.head_image(x.mean((2, 3), keepdim=True))
        whole = functional.interpolate(whole, x.shape[2:], mode="bilinear")  # of one pixel, as in TensorFlow's DeepLab
        branches = [whole, *(self.get_submodule(name)(x) for name in self.branches)]
        logits: torch.Tensor = self.head_classes(self.head_project(torch.cat(branches, 1)))
        if self.spec.output == "logits":
            return logits.permute(0, 2, 3, 1)
        size = (self.spec.height, self.spec.image_width)
        large = functional.interpolate(logits, size, mode="bilinear", align_corners=self.spec.align_corners)
        return large.permute(0, 2, 3, 1).argmax(3).to(torch.uint8)  # the scores of a pixel lie side by side
