"""Runs pictures from files through a compiled library: classes, detections or a mask, as the library answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.errors import LibraryError, UserError
from mnv2c.frames.labels import by_class, read_labels
from mnv2c.pictures import drawing, image
from mnv2c.pictures.files import open_picture

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mnv2c.runtime import ClassScore, Description, Detection
    from mnv2c.runtime.execution import Executor
    from mnv2c.runtime.frames import FrameFunctions

    Array = np.ndarray[Any, Any]

SEEDED = "the weights are seeded random, so the classes mean nothing"
VISIBLE = 0.3
"""Detections below this score are neither listed nor drawn, unless asked for."""


@dataclass(frozen=True)
class Area:
    """A class of a mask and its share of the picture."""

    class_id: int
    label: str
    share: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture; ``milliseconds`` is one run, of the network alone.

    The first tuple that is not None is the answer: the best classes, best first; detections, best first; or the
    classes of a mask, the largest first.
    """

    image: str
    best: tuple[ClassScore, ...] | None
    milliseconds: float
    emulated: bool
    note: str
    detections: tuple[Detection, ...] | None = None
    mask: tuple[Area, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without what is no part of the answer; a score that is NaN or infinite becomes null."""
        made = {name: value for name, value in asdict(self).items() if value is not None}
        for entry in made.get("best", ()):
            entry["score"] = entry["score"] if math.isfinite(entry["score"]) else None
        return made


def classify(
    directory: Path,
    images: Sequence[str | Path],
    *,
    top: int = 5,
    score: float = VISIBLE,
    labels: str | Path | None = None,
    picture: str | Path | None = None,
    threads: int | None = None,
    also: Sequence[str | Path] = (),
    flip: bool = False,
    variant: str | None = None,
) -> list[Prediction]:
    """Run every picture through the library; see ``mnv2c.api.run``."""
    from mnv2c.runtime.execution import executor

    if top < 1:
        raise UserError(f"top is {top}; give at least 1")
    if not 0 <= score <= 1:
        raise UserError(f"score is {score}; give the least score of detections, 0 to 1")
    if picture is not None and len(images) != 1:
        raise UserError(f"a picture is written from one image only, not from {len(images)}")
    description, machine = executor(directory, threads, variant)
    runner = _Runner(description, machine, _named(description, labels), top, score)
    if runner.kind == "logits" or also or flip:
        from mnv2c.pictures.multiscale import Averaged

        others = [executor(Path(other), threads, variant) for other in also]
        runner.averaged = Averaged([(description, machine), *others], flip)
    answers = []
    for path in images:  # one at a time: a picture may take hundreds of megabytes
        prediction, drawn = runner(str(path), open_picture(path))
        answers.append(prediction)
        if picture is not None:
            drawing.save(drawn, Path(picture))
    return answers


class _Runner:
    """One library and what is asked of it."""

    def __init__(
        self, description: Description, machine: Executor, labels: Sequence[str], top: int, score: float
    ) -> None:
        self.description, self.machine, self.top, self.score = description, machine, top, score
        self.kind = (description.metadata.get("frames") or {}).get("answer")
        self.averaged: Any = None
        if self.kind is None:
            raise LibraryError(
                f"{description.name}: takes no single RGB picture, or its outputs mean nothing known; "
                f"call mnv2c.load(DIR)(x) from Python, or compile it with --labels if they are classes"
            )
        self.frames: FrameFunctions = machine.frames()
        self.frames.labels = tuple(labels)
        self.note = SEEDED if "seed" in str(description.metadata.get("weights_source", "")) else ""

    def __call__(self, path: str, picture: Image) -> tuple[Prediction, Image]:
        """Return the answer for a picture, and the picture with the answer drawn."""
        import numpy as np

        from mnv2c.runtime import Frame

        if self.kind == "classes":
            picture = self._prepared(picture)
        frame = Frame.of(np.array(picture), fit="stretch" if self.kind == "classes" else "trained")
        if self.averaged is not None:
            mask, milliseconds = self.averaged(frame)
            return self._mask(path, picture, mask, milliseconds)
        outputs, milliseconds = self.machine.run((self.frames.load(frame),))
        if self.kind == "classes":
            return self._classes(path, picture, self.frames.answer(outputs, frame, top=self.top), milliseconds)
        if self.kind == "boxes":
            return self._boxes(path, picture, self.frames.answer(outputs, frame, score=self.score), milliseconds)
        return self._mask(path, picture, self.frames.mask(outputs[0], frame), milliseconds)

    def _prepared(self, picture: Image) -> Image:
        """What a classifier sees, made as the weights' source does: resized without aliasing, then cropped."""
        shape = self.description.inputs[0].shape
        planar = self.description.metadata["inputs"][0].get("layout") == "NCHW"
        height, width = shape[2:] if planar else shape[1:3]
        how = image.Preprocessing.from_metadata(self.description.metadata["inputs"][0])
        return image.fit_picture(picture, height, width, how)

    def _classes(self, path: str, picture: Image, best: Any, spent: float) -> tuple[Prediction, Image]:
        made = Prediction(path, best, spent, self.machine.emulated, self.note)
        return made, drawing.with_bars(picture, best)

    def _boxes(self, path: str, picture: Image, found: Any, spent: float) -> tuple[Prediction, Image]:
        made = Prediction(path, None, spent, self.machine.emulated, self.note, detections=found)
        return made, drawing.with_boxes(picture, found)

    def _mask(self, path: str, picture: Image, mask: Array, spent: float) -> tuple[Prediction, Image]:
        import numpy as np

        from mnv2c.runtime.frame import UNSEEN

        counts = np.bincount(mask.reshape(-1), minlength=256)[:UNSEEN]
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        areas = tuple(Area(index, self.frames.label(index), float(counts[index] / mask.size)) for index in order)
        made = Prediction(path, None, spent, self.machine.emulated, self.note, mask=areas)
        return made, drawing.with_mask(picture, mask)


def _named(description: Description, path: str | Path | None) -> tuple[str, ...]:
    """The labels of a file by class, else the library's own."""
    if path is None:
        return tuple(description.metadata.get("labels") or ())
    frames = description.metadata.get("frames") or {}
    labels, classes = read_labels(path), int(frames.get("classes", 0))
    if classes and len(labels) > classes:
        raise UserError(f"--labels: has {len(labels)} lines, but the network has {classes} classes")
    return by_class(labels, classes, frames.get("class_offset", 0))
