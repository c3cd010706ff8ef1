"""Generated scenes as data to measure with: ``shapes``, ``shapes:SEED`` or ``shapes:SEED:COUNT``."""

from __future__ import annotations

import re

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.data import Data, Sample, Truth
from mnv2c.learning.evaluation.detection import Objects
from mnv2c.learning.scenes import HELD_OUT_SEED, LABELS, SETTINGS, Scene, Scenes

PREFIX = "shapes"
COUNT = 500


class Shapes(Data):
    """Scenes of the kind that belongs to the task, as pictures of several sizes."""

    def __init__(self, text: str, task: str) -> None:
        found = re.fullmatch(rf"{PREFIX}(?::(\d{{1,18}}))?(?::(\d{{1,9}}))?", text)
        if not found:
            raise UserError(f'"{text}": write shapes, shapes:SEED or shapes:SEED:COUNT')
        seed = HELD_OUT_SEED if found[1] is None else int(found[1])
        count = COUNT if found[2] is None else int(found[2])
        if task not in SETTINGS or not count:
            raise UserError(f'"{text}": no scenes to measure a {task} with')
        self.task, self.title = task, f"{count} scenes of shapes, seed {seed}"
        self.labels = LABELS if task != "segmenter" else ("background", *LABELS)
        self.numbers = tuple(range(task == "detector", len(self.labels) + (task == "detector")))
        self.scenes = Scenes.pictures(task, seed, count)

    def __len__(self) -> int:
        """How many scenes."""
        return len(self.scenes)

    def __getitem__(self, index: int) -> Sample:
        """Draw scene ``index``."""
        scene = self.scenes[index]
        return Sample(f"scene {index}", scene.image, self._truth(scene))

    def _truth(self, scene: Scene) -> Truth:
        if self.task == "classifier":
            return int(scene.classes[0])
        return scene.mask if self.task == "segmenter" else Objects.plain(scene.boxes, scene.classes)
