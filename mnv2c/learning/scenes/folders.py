"""Scenes as folders in the layouts of ImageNet, COCO and PASCAL VOC; a folder appears when it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from mnv2c.common.files import temporary
from mnv2c.errors import OutputError, UserError
from mnv2c.learning.scenes.classes import LABELS
from mnv2c.learning.scenes.collection import Scenes
from mnv2c.learning.scenes.draw import Scene

LAYOUTS = {"imagenet": "classifier", "coco": "detector", "voc": "segmenter"}
"""The layouts, and the kind of scenes that each is filled with."""

LABELS_FILE = "labels.txt"
LEVEL = 1  # of PNG's compression: noise hardly shrinks, and the first is the fastest
Report = Callable[[str, float], None]


def write_folder(folder: Path, layout: str, seed: int, count: int, report: Report = lambda phase, share: None) -> Path:
    """Draw ``count`` scenes into a new folder; UserError for an unknown layout, OutputError where it cannot be made."""
    if layout not in LAYOUTS:
        raise UserError(f'layout "{layout}": choose from {", ".join(LAYOUTS)}')
    if count == 0:
        raise UserError("count is 0; give at least 1")
    if folder.exists():
        raise OutputError(f"{folder}: is there already; remove it or name another folder")
    scenes = Scenes.pictures(LAYOUTS[layout], seed, count)
    try:
        with temporary(folder, folder=True) as hidden:
            WRITERS[layout](hidden, scenes, lambda done: report(f"drawing, {10 * done // count * 10} %", done / count))
            (hidden / LABELS_FILE).write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
            os.replace(hidden, folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder


def _imagenet(folder: Path, scenes: Scenes, done: Callable[[int], None]) -> None:
    """``val/000_red_disc/000000.png``: a folder per class, whose names in order are the classes in order."""
    places = [folder / "val" / f"{index:03d}_{label.replace(' ', '_')}" for index, label in enumerate(LABELS)]
    for place in places:
        place.mkdir(parents=True)
    for number, scene in enumerate(scenes):
        _save(scene.image, places[int(scene.classes[0])] / f"{number:06d}.png")
        done(number + 1)


def _coco(folder: Path, scenes: Scenes, done: Callable[[int], None]) -> None:
    """``val/000000.png`` and ``annotations/instances_val.json``; masks as uncompressed run lengths."""
    (folder / "val").mkdir()
    (folder / "annotations").mkdir()
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes):
        name = f"{number:06d}.png"
        _save(scene.image, folder / "val" / name)
        height, width = scene.instances.shape
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for index, (box, class_) in enumerate(zip(scene.boxes.tolist(), scene.classes.tolist(), strict=True)):
            seen = scene.instances == index + 1
            left, top, right, bottom = box
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": class_ + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": int(seen.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": [height, width], "counts": run_lengths(seen)},
                }
            )
        done(number + 1)
    categories = [{"id": index + 1, "name": label} for index, label in enumerate(LABELS)]
    text = json.dumps({"images": images, "annotations": objects, "categories": categories})
    (folder / "annotations" / "instances_val.json").write_text(text, "utf-8")


def _voc(folder: Path, scenes: Scenes, done: Callable[[int], None]) -> None:
    """``JPEGImages`` (as PNG), ``Annotations``, ``SegmentationClass`` and ``ImageSets`` with ``val.txt``."""
    sets = ("Main", "Segmentation")
    for place in ("JPEGImages", "Annotations", "SegmentationClass", *(f"ImageSets/{name}" for name in sets)):
        (folder / place).mkdir(parents=True)
    for number, scene in enumerate(scenes):
        _save(scene.image, folder / "JPEGImages" / f"{number:06d}.png")
        _save(scene.mask, folder / "SegmentationClass" / f"{number:06d}.png", palette())
        (folder / "Annotations" / f"{number:06d}.xml").write_text(_annotation(f"{number:06d}.png", scene), "utf-8")
        done(number + 1)
    names = "".join(f"{number:06d}\n" for number in range(len(scenes)))
    for name in sets:
        (folder / "ImageSets" / name / "val.txt").write_text(names, "utf-8")


WRITERS = {"imagenet": _imagenet, "coco": _coco, "voc": _voc}


def _annotation(name: str, scene: Scene) -> str:
    """VOC's XML: boxes count pixels from 1 and include the last."""
    height, width = scene.instances.shape
    lines = [f"<annotation><filename>{escape(name)}</filename>"]
    lines.append(f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>")
    for box, class_ in zip(scene.boxes.tolist(), scene.classes.tolist(), strict=True):
        left, top, right, bottom = (round(edge) for edge in box)
        ends = f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        lines.append(
            f"<object><name>{escape(LABELS[class_])}</name><difficult>0</difficult><bndbox>{ends}</bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>\n"])


def run_lengths(seen: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths of a mask [H, W]: column by column, beginning with what is not seen."""
    flat = seen.T.reshape(-1).astype(np.int8)
    ends = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0] if flat.size and flat[0] else [], [0], ends, [flat.size]]).astype(int)
    return [int(length) for length in np.diff(np.sort(edges))]


def palette() -> list[int]:
    """VOC's colours of the 256 classes: the bits of the number, spread over red, green and blue from the top."""
    colours = []
    for number in range(256):
        for channel in range(3):
            colours.append(sum(((number >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3)))
    return colours


def _save(pixels: NDArray[np.uint8], path: Path, colours: list[int] | None = None) -> None:
    from PIL import Image

    picture = Image.fromarray(pixels)
    if colours is not None:
        picture.putpalette(colours)
    picture.save(path, compress_level=LEVEL)
