"""The layout of COCO's detection data: ``annotations/instances_*.json`` and a folder of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.data import Data, Sample, as_pixels
from mnv2c.learning.evaluation.detection import Objects
from mnv2c.learning.evaluation.listing import read_text

LARGEST = 1e9  # a coordinate in pixels
PREFERRED = ("val2017", "val2014", "minival2014", "val")


class Coco(Data):
    """Pictures with boxes. Crowds are neither to be found nor wrong if found."""

    task = "detector"

    def __init__(self, folder: Path) -> None:
        path = _annotations(folder)
        self.title = str(folder)
        content = _parsed(path)
        categories = sorted(content["categories"], key=lambda category: category["id"])
        self.labels = tuple(str(category["name"]) for category in categories)
        self.numbers = tuple(int(category["id"]) for category in categories)
        places = {number: place for place, number in enumerate(self.numbers)}
        self.images = sorted(content["images"], key=lambda image: image["id"])
        self.folder = _pictures(folder, path.stem.removeprefix("instances_"))
        self.objects: dict[int, list[tuple[list[float], int, bool]]] = {image["id"]: [] for image in self.images}
        for entry in content["annotations"]:
            if entry["image_id"] not in self.objects or entry["category_id"] not in places:
                raise UserError(f"{path}: annotation {entry.get('id')} names a picture or category that is not there")
            item = (entry["bbox"], places[entry["category_id"]], bool(entry.get("iscrowd", 0)))
            self.objects[entry["image_id"]].append(item)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        """Read picture ``index``."""
        image = self.images[index]
        items = self.objects[image["id"]]
        corners = np.array([box for box, _, _ in items], np.float32).reshape(-1, 4)
        crowd = np.array([crowd for _, _, crowd in items], np.bool_)
        boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], 1)
        truth = Objects(boxes, np.array([place for _, place, _ in items], np.int64), crowd, crowd)
        return Sample(image["file_name"], as_pixels(self.folder / image["file_name"]), truth)


def _annotations(folder: Path) -> Path:
    found = {path.stem.removeprefix("instances_"): path for path in (folder / "annotations").glob("instances_*.json")}
    name = next((name for name in PREFERRED if name in found), min(found, default=""))
    if not name:
        raise UserError(f"{folder}: no annotations/instances_*.json in it")
    return found[name]


def _pictures(folder: Path, name: str) -> Path:
    for place in (name, name.replace("minival", "val"), "images", f"images/{name}"):
        if (folder / place).is_dir():
            return folder / place
    raise UserError(f"{folder}: no folder {name} with the pictures in it")


def _parsed(path: Path) -> dict[str, Any]:
    """The file's content; UserError where something that is read from it is missing."""
    wanted = {
        "images": {"id": int, "file_name": str},
        "annotations": {"image_id": int, "category_id": int, "bbox": list},
        "categories": {"id": int, "name": str},
    }
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    for group, entries in wanted.items():
        items = content.get(group) if isinstance(content, dict) else None
        if not isinstance(items, list):
            raise UserError(f"{path}: has no list of {group}")
        for item in items:
            if not isinstance(item, dict) or not all(isinstance(item.get(key), kind) for key, kind in entries.items()):
                raise UserError(f"{path}: one of the {group} lacks {' or '.join(entries)}")
            if "bbox" in entries and (len(item["bbox"]) != 4 or not all(map(_is_number, item["bbox"]))):
                raise UserError(f"{path}: the box of annotation {item.get('id')} is not four numbers")
    return dict(content)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST
