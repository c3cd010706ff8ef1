"""The detector: what SSD learns on its prior boxes, and what it finds; average precision as COCO defines it."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mnv2c.learning import reference
from mnv2c.learning.evaluation import Objects, mean_precision
from mnv2c.learning.evaluation.boxes import detections, prior_boxes
from mnv2c.learning.scenes import Scene, Scenes
from mnv2c.learning.training.batches import Targets
from mnv2c.learning.training.boxes import UNDECIDED, match
from mnv2c.learning.training.task import Batch, Task, answers
from mnv2c.spec import ModelSpec, layers
from mnv2c.spec.detector import feature_maps
from mnv2c.spec.priors import CONVENTIONS, BoxConvention

FOCUS, BALANCE = 2.0, 0.4  # of the focal loss: exponent, and weight of what is there
RARE = 0.01  # probability that a fresh network gives to every class of every prior box
NEGATIVES = 3  # prior boxes with nothing in them per one with an object, the worst answered
BOX_WEIGHT = 1.0


class Detection(Task):
    """Sigmoid scores learn by focal loss, those of a softmax by hard negative mining; boxes by smooth L1."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.convention: BoxConvention = CONVENTIONS[spec.boxes]
        self.extent = np.array([spec.image_width, spec.height] * 2, np.float32)
        self.priors = prior_boxes(self.convention, feature_maps(layers(spec)), (spec.height, spec.image_width))

    def network(self) -> nn.Module:
        """A detector whose scores begin low."""
        network: nn.Module = reference.Detector(self.spec)
        if self.convention.score == "sigmoid":
            for name, parameter in network.named_parameters():
                if name.startswith("scores") and name.endswith("bias") and ".bn." not in name:
                    nn.init.constant_(parameter, log(RARE / (1 - RARE)))
        return network

    def targets(self, scene: Scene) -> Targets:
        """ "slots": int64 [N], "boxes": float32 [N, 4], coded; see ``match``."""
        slots, boxes = match(scene.boxes / self.extent, scene.classes, self.priors, self.convention)
        return {"slots": slots, "boxes": boxes}

    def loss(self, answer: Any, batch: Batch) -> torch.Tensor:
        """Scores and boxes together, per prior box with an object."""
        coded, scores = answer
        slots = batch["slots"]
        there = slots > 0
        objects = max(1, int(there.sum()))
        boxes = functional.smooth_l1_loss(coded[there], batch["boxes"][there], reduction="sum")
        confidence = focal_loss if self.convention.score == "sigmoid" else mined_loss
        return (confidence(scores, slots) + BOX_WEIGHT * boxes) / objects

    def measure(self, network: nn.Module, scenes: Scenes, size: int = 32) -> dict[str, float]:
        """``map`` and ``map50``."""
        truth, found = [], []
        for some, (coded, scores) in answers(network, scenes, size):
            truth += [Objects.plain(scene.boxes, scene.classes) for scene in some]
            for raw in zip(coded.numpy(), scores.numpy(), strict=True):
                found.append(detections(*raw, self.priors, self.convention).scaled(self.extent))
        return mean_precision(truth, found).figures()


def focal_loss(scores: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
    """Focal loss (Lin et al. 2017) of logits [N, P, classes] against slots [N, P], summed; slot 0 is not learnt."""
    wanted = functional.one_hot(slots.clamp(min=0), scores.shape[2])[..., 1:].to(scores.dtype)
    logits = scores[..., 1:]
    plain = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    chance = torch.sigmoid(logits)
    missed = torch.where(wanted > 0, 1 - chance, chance)
    weight = torch.where(wanted > 0, BALANCE, 1 - BALANCE) * missed**FOCUS
    return (weight * plain)[slots != UNDECIDED].sum()


def mined_loss(scores: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
    """Cross entropy of logits [N, P, classes] against slots [N, P], summed over objects and the worst of the rest."""
    plain = functional.cross_entropy(scores.transpose(1, 2), slots.clamp(min=0), reduction="none")
    there = slots > 0
    empty = torch.where(slots == 0, plain, plain.new_tensor(-1.0))
    rank = empty.detach().argsort(1, descending=True).argsort(1)
    mined = (rank < NEGATIVES * there.sum(1, keepdim=True).clamp(min=1)) & (slots == 0)
    return plain[there | mined].sum()
