"""Scenes as batches of a PyTorch ``DataLoader``, made ahead of the training in a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mnv2c.learning.scenes import Scene, Scenes

Targets = dict[str, "np.ndarray[Any, Any]"]


class Batches(Dataset):
    """Batch i holds scenes i * size to (i + 1) * size - 1: "image" uint8 [size, H, W, 3], and the task's targets."""

    def __init__(self, scenes: Scenes, size: int, targets: Callable[[Scene], Targets], first: int = 0) -> None:
        self.scenes, self.size, self.targets, self.first = scenes, size, targets, first

    def __len__(self) -> int:
        """Whole batches that are left from number ``first`` on."""
        return len(self.scenes) // self.size - self.first

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Draw batch ``first + index``."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        images, scenes = self.scenes.batch((self.first + index) * self.size, self.size)
        found = [self.targets(scene) for scene in scenes]
        stacked = {name: np.stack([item[name] for item in found]) for name in found[0]}
        return {name: torch.from_numpy(array) for name, array in {"image": images, **stacked}.items()}

    def loader(self, workers: int) -> Iterable[dict[str, torch.Tensor]]:
        """All batches in order; ``workers`` processes draw them, 0: this one."""
        ahead: Iterable[dict[str, torch.Tensor]] = DataLoader(self, batch_size=None, shuffle=False, num_workers=workers)
        return ahead
