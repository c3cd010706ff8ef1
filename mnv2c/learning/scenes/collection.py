"""Scenes by number: a sequence that needs no memory, in which every class comes first equally often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnv2c.errors import UserError
from mnv2c.learning.scenes.classes import LABELS
from mnv2c.learning.scenes.draw import Scene, draw
from mnv2c.learning.scenes.setting import SETTINGS, Setting

HELD_OUT_SEED = 90210
"""The seed that accuracy is measured with; train with another one."""

SHAPES_OF_PICTURES = ((240, 320), (320, 240), (256, 256), (192, 288))  # height x width, in turn


@dataclass(frozen=True)
class Scenes:
    """``count`` scenes of a seed; equal arguments give equal scenes, whichever of them are asked for.

    PyTorch's ``DataLoader`` takes it as a dataset. Without ``sizes`` all pictures are as large as the setting says,
    else they take these heights x widths in turn and are not stretched.
    """

    setting: Setting
    seed: int
    count: int
    sizes: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """UserError for a negative seed or count."""
        if self.seed < 0 or self.count < 0:
            raise UserError(f"scenes of seed {self.seed}, {self.count} of them: neither may be negative")

    @classmethod
    def pictures(cls, task: str, seed: int = HELD_OUT_SEED, count: int = 500) -> Scenes:
        """Scenes as a camera would give them for a task ("classifier", "detector", "segmenter"): of several sizes."""
        return cls(SETTINGS[task], seed, count, SHAPES_OF_PICTURES)

    def __len__(self) -> int:
        """How many there are."""
        return self.count

    def __getitem__(self, index: int) -> Scene:
        """Draw scene ``index``."""
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        setting = self.setting
        if self.sizes:
            height, width = self.sizes[index % len(self.sizes)]
            setting = replace(setting, height=height, image_width=width, aspect=None)
        return draw(np.random.default_rng((self.seed, index)), setting, self.first_class(index))

    def __iter__(self) -> Iterator[Scene]:
        """All scenes in order."""
        return (self[index] for index in range(self.count))

    def first_class(self, index: int) -> int:
        """The class of the scene's first object: of ten neighbours every one has another, in a shuffled order."""
        round_, place = divmod(index, len(LABELS))
        return int(np.random.default_rng((self.seed, round_, 1)).permutation(len(LABELS))[place])

    def batch(self, first: int, count: int) -> tuple[NDArray[np.uint8], list[Scene]]:
        """``count`` scenes from number ``first`` on: their pictures as uint8 [count, H, W, 3], and themselves."""
        scenes = [self[index] for index in range(first, first + count)]
        return np.stack([scene.image for scene in scenes]), scenes
