"""The segmenter: cross entropy of every pixel at the image's size, mean intersection over union."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mnv2c.learning import reference
from mnv2c.learning.evaluation import Confusion
from mnv2c.learning.scenes import Scene, Scenes
from mnv2c.learning.training.batches import Targets
from mnv2c.learning.training.task import Batch, Task, answers


class Segmentation(Task):
    """The module gives logits of a low resolution; they are resized as the mask's are, then compared."""

    def network(self) -> nn.Module:
        """A segmenter that gives logits, whatever the description's output is."""
        return reference.Segmenter(replace(self.spec, output="logits"))

    def targets(self, scene: Scene) -> Targets:
        """ "mask": uint8 [H, W]."""
        return {"mask": scene.mask}

    def loss(self, answer: Any, batch: Batch) -> torch.Tensor:
        """Cross entropy of the resized logits."""
        return functional.cross_entropy(self._resized(answer), batch["mask"].long())

    def measure(self, network: nn.Module, scenes: Scenes, size: int = 32) -> dict[str, float]:
        """``miou`` and ``pixels``."""
        confusion = Confusion(self.spec.classes)
        for some, logits in answers(network, scenes, size):
            for scene, mask in zip(some, self._resized(logits).argmax(1).byte().numpy(), strict=True):
                confusion.add(mask, scene.mask)
        return confusion.figures()

    def _resized(self, logits: torch.Tensor) -> torch.Tensor:
        """[N, h, w, classes] to [N, classes, H, W]."""
        return functional.interpolate(
            logits.permute(0, 3, 1, 2),
            size=(self.spec.height, self.spec.image_width),
            mode="bilinear",
            align_corners=self.spec.align_corners,
        )
