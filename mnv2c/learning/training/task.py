"""What the three families of networks have in common when they are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from mnv2c.learning.scenes import LABELS, SETTINGS, Scene, Scenes
from mnv2c.learning.training.batches import Batches, Targets
from mnv2c.spec import ModelSpec

ASPECT = (0.7, 1.45)  # of scenes before they are stretched to the network's input, as photographs will be
SOFTNESS = (0.15, 1.6)  # of outlines in pixels: a larger picture resized without smoothing has sharper ones
PREPROCESSING = {
    "channels": "rgb",
    "mean": [0.5, 0.5, 0.5],
    "deviation": [0.5, 0.5, 0.5],
    "fit": "stretch",
    "crop": 1.0,
    "interpolation": "bilinear",
}
"""How pictures become the networks' input: all of them, stretched, in [-1, 1]."""

Batch = Mapping[str, torch.Tensor]


class Task(ABC):
    """Trains one family: which module, what it is to answer for a scene, how wrong an answer is, how good it is."""

    background = True  # whether the network's first class is that

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the network's classes in order."""
        return ("background", *LABELS) if self.background else LABELS

    def scenes(self, seed: int, count: int) -> Scenes:
        """Scenes at the network's resolution."""
        setting = SETTINGS[self.spec.family]
        size: dict[str, Any] = {"height": self.spec.height, "image_width": self.spec.image_width}
        return Scenes(replace(setting, **size, aspect=ASPECT, softness=SOFTNESS), seed, count)

    def batches(self, seed: int, count: int, size: int, first: int = 0) -> Batches:
        """``count`` batches of ``size`` scenes each, from batch ``first`` on."""
        return Batches(self.scenes(seed, count * size), size, self.targets, first)

    @abstractmethod
    def network(self) -> nn.Module:
        """A module with fresh weights, for input [N, 3, H, W]."""

    @abstractmethod
    def targets(self, scene: Scene) -> Targets:
        """What the network is to answer, as arrays by name; their shapes are those of every scene."""

    @abstractmethod
    def loss(self, answer: Any, batch: Batch) -> torch.Tensor:
        """How wrong the module's answer to a batch is, on average."""

    @abstractmethod
    def measure(self, network: nn.Module, scenes: Scenes, size: int = 32) -> dict[str, float]:
        """Accuracy of the module in evaluation mode on scenes at its resolution, ``size`` at a time."""


def to_input(images: torch.Tensor) -> torch.Tensor:
    """uint8 [N, H, W, 3] to what the networks take: float32 [N, 3, H, W] in [-1, 1]."""
    return (images.float() / 255 - 0.5).div_(0.5).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def answers(network: nn.Module, scenes: Scenes, size: int) -> Iterator[tuple[list[Scene], Any]]:
    """Yield scenes and the module's answers to them, ``size`` at a time."""
    network.eval()
    for first in range(0, len(scenes), size):
        images, some = scenes.batch(first, min(size, len(scenes) - first))
        with torch.no_grad():
            found = network(to_input(torch.from_numpy(images)))
        yield some, found
