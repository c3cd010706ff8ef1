"""Pictures with the truth about them, whatever layout they lie in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.detection import Objects

Truth = int | Objects | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture, uint8 [H, W, 3], red first, and the truth by task.

    "classifier": the class; "detector": ``Objects``; "segmenter": the mask, uint8 [H, W].
    """

    name: str
    image: NDArray[np.uint8]
    truth: Truth


class Data(ABC):
    """A set of samples for one task. ``labels`` name its classes, ``numbers`` are what the layout itself calls them."""

    task: str
    title: str
    labels: tuple[str, ...]
    numbers: tuple[int, ...]

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Read sample ``index``; its classes are places in ``labels``, those of a mask are ``numbers``. UserError."""


def slots(data: Data, labels: tuple[str, ...], classes: int, offset: int = 0) -> tuple[int, ...]:
    """Return for every label of the data the network's class: by name if all are known to it, else by number.

    ``labels`` are the network's own, or (); ``offset`` is how many of its classes come before the first. UserError
    where the classes of the two cannot be the same.
    """
    known = [label in labels for label in data.labels]
    if labels and all(known):
        return tuple(labels.index(label) for label in data.labels)
    if any(known):
        stranger = next(label for label, found in zip(data.labels, known, strict=True) if not found)
        raise UserError(f'{data.title}: has the class "{stranger}", which the network does not have')
    count = len(data.labels)
    if data.task == "classifier" and count == classes - offset:
        return tuple(range(offset, classes))
    if data.task == "segmenter" and count == classes:
        return data.numbers
    if data.task == "detector" and count in (classes - 1, classes):  # with a background, or without one
        return tuple(range(classes - count, classes))
    if data.task == "detector" and count < classes and max(data.numbers) < classes:
        return data.numbers
    raise UserError(
        f"{data.title}: has {count} classes, but the network has {classes}; compile it with the weights for this data"
    )


def as_pixels(path: Any) -> NDArray[np.uint8]:
    """Read a picture file as uint8 [H, W, 3]; UserError where it cannot be read."""
    from mnv2c.pictures.files import open_picture

    return np.asarray(open_picture(path), np.uint8)
