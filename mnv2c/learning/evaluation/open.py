"""What ``--data`` names: generated scenes, or a folder whose layout is recognised."""

from __future__ import annotations

from pathlib import Path

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.coco import Coco
from mnv2c.learning.evaluation.data import Data
from mnv2c.learning.evaluation.imagenet import ImageNet
from mnv2c.learning.evaluation.shapes import PREFIX, Shapes
from mnv2c.learning.evaluation.voc import BELOW, Voc


def open_data(text: str, task: str) -> Data:
    """Open the data for a task ("classifier", "detector", "segmenter"); UserError where it has nothing for it."""
    folder = Path(text)
    if (text == PREFIX or text.startswith(f"{PREFIX}:")) and not folder.is_dir():
        return Shapes(text, task)
    if not folder.is_dir():
        raise UserError(f"{text}: no such folder; for generated scenes write shapes or shapes:SEED:COUNT")
    if (folder / "annotations").is_dir():
        return _only(Coco(folder), task)
    if any((folder / name / "JPEGImages").is_dir() for name in BELOW):
        if task == "classifier":
            raise UserError(f"{text}: in VOC's layout, which has no classes of whole pictures")
        return Voc(folder, task)
    return _only(ImageNet(folder), task)


def _only(data: Data, task: str) -> Data:
    if data.task != task:
        raise UserError(f"{data.title}: has the truth for a {data.task}, but the library is a {task}")
    return data
