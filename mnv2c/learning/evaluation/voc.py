"""The layout of PASCAL VOC: pictures, masks and boxes by name, and lists of names."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.data import Data, Sample, as_pixels
from mnv2c.learning.evaluation.detection import Objects
from mnv2c.learning.evaluation.listing import LABELS_FILE, picture, read_text
from mnv2c.learning.evaluation.segmentation import UNLABELLED

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""VOC's own classes; a folder with a ``labels.txt`` has those."""

EDGES = ("xmin", "ymin", "xmax", "ymax")
SETS = {"detector": "Main", "segmenter": "Segmentation"}
BELOW = ("", "VOC2012", "VOCdevkit/VOC2012", "VOC2007", "VOCdevkit/VOC2007")


class Voc(Data):
    """``JPEGImages/NAME``, ``SegmentationClass/NAME.png`` or ``Annotations/NAME.xml``, and ``ImageSets/*/val.txt``.

    Objects marked as difficult are neither to be found nor wrong if found; 255 in a mask is not labelled.
    """

    def __init__(self, folder: Path, task: str) -> None:
        place = next((name for name in BELOW if (folder / name / "JPEGImages").is_dir()), None)
        if place is None:
            raise UserError(f"{folder}: no JPEGImages in it")
        self.folder, self.task, self.title = folder / place, task, str(folder)
        lists = self.folder / "ImageSets" / SETS[task]
        chosen = next((lists / name for name in ("val.txt", "test.txt") if (lists / name).is_file()), None)
        if chosen is None:
            raise UserError(f"{lists}: neither val.txt nor test.txt in it")
        self.names = [line.split()[0] for line in read_text(chosen).splitlines() if line.strip()]
        own = self.folder / LABELS_FILE
        found = tuple(line for line in read_text(own).splitlines() if line.strip()) if own.is_file() else CLASSES
        self.labels = ("background", *found) if task == "segmenter" else found
        self.numbers = tuple(range(task == "detector", len(found) + 1))

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Read picture ``index``."""
        name = self.names[index]
        pixels = as_pixels(picture(self.folder / "JPEGImages", name))
        if self.task == "segmenter":
            return Sample(name, pixels, _mask(self.folder / "SegmentationClass" / f"{name}.png", len(self.labels)))
        return Sample(name, pixels, self._objects(self.folder / "Annotations" / f"{name}.xml"))

    def _objects(self, path: Path) -> Objects:
        """Boxes of an XML file, which count pixels from 1 and include the last."""
        try:
            entries = ElementTree.fromstring(read_text(path)).findall("object")
            ends = [[float(entry.findtext(f"bndbox/{key}") or "missing") for key in EDGES] for entry in entries]
            names = [str(entry.findtext("name")) for entry in entries]
            difficult = np.array([entry.findtext("difficult", "0").strip() == "1" for entry in entries], np.bool_)
        except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not an annotation of VOC: {error}") from None
        if strangers := sorted(set(names) - set(self.labels)):
            raise UserError(f'{path}: has the class "{strangers[0]}", which is not one of {len(self.labels)}')
        if not all(isfinite(end) for edges in ends for end in edges):
            raise UserError(f"{path}: not an annotation of VOC: an edge of a box is no number")
        boxes = np.array(ends, np.float32).reshape(-1, 4) - np.array([1, 1, 0, 0], np.float32)
        classes = np.array([self.labels.index(name) for name in names], np.int64)
        return Objects(boxes, classes, difficult, np.zeros(len(names), np.bool_))


def _mask(path: Path, classes: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A PNG with a palette, whose numbers are the classes; UserError for another one, or for more ``classes``."""
    from mnv2c.pictures.files import open_classes

    opened = open_classes(path)
    if opened.mode not in ("P", "L"):
        raise UserError(f"{path}: {opened.mode} pixels; a mask has the class's number per pixel")
    mask = np.asarray(opened, np.uint8)
    largest = int(mask[mask != UNLABELLED].max(initial=0))
    if largest >= classes:
        raise UserError(f"{path}: has class {largest}, but there are only {classes} classes")
    return mask
