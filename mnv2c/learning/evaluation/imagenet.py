"""The layout of ImageNet: a folder of pictures per class, or all pictures in one folder and a list of their classes."""

from __future__ import annotations

import re
from pathlib import Path

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.data import Data, Sample, as_pixels
from mnv2c.learning.evaluation.listing import PICTURES, labels_of, read_text

LISTS = ("val.txt", "caffe_ilsvrc12/val.txt")


class ImageNet(Data):
    """``[val/]CLASS/picture``, classes in the order of the folders' names; or ``val/picture`` with ``val.txt``."""

    task = "classifier"

    def __init__(self, folder: Path) -> None:
        root = folder / "val" if (folder / "val").is_dir() else folder
        groups = sorted(entry for entry in root.iterdir() if entry.is_dir())
        self.title = str(folder)
        if groups:
            self.items = [(path, index) for index, group in enumerate(groups) for path in _pictures(group)]
            names = [group.name for group in groups]
        else:
            self.items = _listed(folder, root)
            names = [f"class {index}" for index in range(1 + max((label for _, label in self.items), default=-1))]
        if not self.items:
            raise UserError(f"{folder}: no folder per class with pictures in it, and no val.txt")
        self.labels = labels_of(folder, len(names)) or tuple(names)
        self.numbers = tuple(range(len(names)))

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        """Read picture ``index``."""
        path, label = self.items[index]
        return Sample(path.name, as_pixels(path), label)


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)


def _listed(folder: Path, root: Path) -> list[tuple[Path, int]]:
    """Pictures and classes of a list with a line ``NAME CLASS`` per picture."""
    for name in LISTS:
        if (folder / name).is_file():
            lines = [line.split() for line in read_text(folder / name).splitlines() if line.strip()]
            if any(len(line) != 2 or not re.fullmatch("[0-9]{1,5}", line[1]) for line in lines):
                raise UserError(f'{folder / name}: every line must be "PICTURE CLASS", a class below 100000')
            return [(root / picture, int(label)) for picture, label in lines]
    return []
