"""The classifier: cross entropy with smoothed labels, top-1 and top-5."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mnv2c.learning import reference
from mnv2c.learning.evaluation import Ranks
from mnv2c.learning.scenes import Scene, Scenes
from mnv2c.learning.training.batches import Targets
from mnv2c.learning.training.task import Batch, Task, answers

LABEL_SMOOTHING = 0.05


class Classification(Task):
    """Every scene holds one object of a class; that is the answer."""

    background = False

    def network(self) -> nn.Module:
        """A classifier."""
        return reference.Classifier(self.spec)

    def targets(self, scene: Scene) -> Targets:
        """ "label": int64 []."""
        return {"label": np.asarray(scene.classes[0])}

    def loss(self, answer: Any, batch: Batch) -> torch.Tensor:
        """Cross entropy of logits [N, classes]."""
        return functional.cross_entropy(answer, batch["label"], label_smoothing=LABEL_SMOOTHING)

    def measure(self, network: nn.Module, scenes: Scenes, size: int = 32) -> dict[str, float]:
        """``top1`` and ``top5``."""
        ranks = Ranks()
        for some, logits in answers(network, scenes, size):
            for scene, scores in zip(some, logits.numpy(), strict=True):
                ranks.add(scores, int(scene.classes[0]))
        return ranks.figures()
