"""Runs a compiled library over data and measures how often it is right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c.errors import UserError
from mnv2c.learning.evaluation import coco_tools
from mnv2c.learning.evaluation.classification import Ranks
from mnv2c.learning.evaluation.data import Data, slots
from mnv2c.learning.evaluation.detection import Detections, Objects, mean_precision
from mnv2c.learning.evaluation.network import Network
from mnv2c.learning.evaluation.open import open_data
from mnv2c.learning.evaluation.segmentation import UNLABELLED, Confusion

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Accuracy:
    """What was measured: ``figures`` in [0, 1] by name, over ``count`` pictures.

    ``by`` tells whose preparation and reading of outputs was measured, see ``mnv2c.learning.evaluation.network.BY``.
    ``milliseconds`` is the median of the library's own time per picture, without preparation, and means nothing where
    it was ``emulated``. ``tool`` names what computed the figures.
    """

    name: str
    task: str
    data: str
    count: int
    figures: dict[str, float]
    tool: str
    by: str
    milliseconds: float
    emulated: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**self.__dict__}


class Meter(ABC):
    """Collects answers to one kind of data. ``numbers`` are the network's classes of the data's labels."""

    tool = "mnv2c"

    def __init__(self, network: Network, data: Data) -> None:
        self.numbers = np.array(slots(data, network.labels, network.classes, network.offset), np.int64)
        self.network, self.data = network, data

    @abstractmethod
    def add(self, answer: Any, truth: Any) -> None:
        """Take the answer to one picture."""

    @abstractmethod
    def figures(self) -> dict[str, float]:
        """What was measured."""


class ClassMeter(Meter):
    """Top-1 and top-5."""

    def __init__(self, network: Network, data: Data) -> None:
        super().__init__(network, data)
        self.ranks = Ranks()

    def add(self, answer: Any, truth: Any) -> None:
        """Scores and the class."""
        self.ranks.add(answer, int(self.numbers[truth]))

    def figures(self) -> dict[str, float]:
        """``top1`` and ``top5``."""
        return self.ranks.figures()


class BoxMeter(Meter):
    """COCO's average precision, by COCO's own tools where they are installed."""

    def __init__(self, network: Network, data: Data) -> None:
        super().__init__(network, data)
        self.tool = "pycocotools" if coco_tools.available() else "mnv2c"
        self.truth: list[Objects] = []
        self.found: list[Detections] = []

    def add(self, answer: Any, truth: Any) -> None:
        """Detections and objects; of the former those count whose class the data has."""
        known = np.isin(answer.classes, self.numbers)
        self.found.append(Detections(answer.boxes[known], answer.classes[known], answer.scores[known]))
        self.truth.append(replace(truth, classes=self.numbers[truth.classes]))

    def figures(self) -> dict[str, float]:
        """``map`` and ``map50``."""
        compute = coco_tools.mean_precision if self.tool == "pycocotools" else mean_precision
        return compute(self.truth, self.found).figures()


class MaskMeter(Meter):
    """Mean intersection over union."""

    def __init__(self, network: Network, data: Data) -> None:
        super().__init__(network, data)
        self.confusion = Confusion(network.classes)
        self.table = np.full(256, UNLABELLED, np.uint8)
        self.table[list(data.numbers)] = self.numbers

    def add(self, answer: Any, truth: Any) -> None:
        """Two masks."""
        self.confusion.add(answer, self.table[truth])

    def figures(self) -> dict[str, float]:
        """``miou`` and ``pixels``."""
        return self.confusion.figures()


METERS: dict[str, type[Meter]] = {"classifier": ClassMeter, "detector": BoxMeter, "segmenter": MaskMeter}


def evaluate(
    directory: str | Path,
    data: str,
    *,
    limit: int | None = None,
    threads: int | None = None,
    by: str = "library",
    variant: str | None = None,
    progress: Report = lambda phase, share: None,
) -> Accuracy:
    """Measure a compiled folder on the data that ``open_data`` understands, on the first ``limit`` pictures of it.

    ``by`` is one of ``mnv2c.learning.evaluation.network.BY``; ``variant`` is one of the CPUs that the library has
    kernels for.

    UserError for data that is missing, damaged or has other classes; LibraryError for a folder that cannot run here.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; give at least 1")
    network = Network(directory, threads, by, variant)
    return measure(network, open_data(data, network.task), limit, progress)


def measure(network: Network, data: Data, limit: int | None = None, progress: Report = lambda *_: None) -> Accuracy:
    """Measure a network on data of its task."""
    meter = METERS[network.task](network, data)
    count = len(data) if limit is None else min(limit, len(data))
    if not count:
        raise UserError(f"{data.title}: no pictures in it")
    spent = []
    for index in range(count):
        sample = data[index]
        answer, milliseconds = network.answer(sample.image)
        meter.add(answer, sample.truth)
        spent.append(milliseconds)
        progress(f"pictures from {index * 10 // count * count // 10} of {count}", (index + 1) / count)
    name, emulated = network.description.name, network.machine.emulated
    return Accuracy(
        name,
        network.task,
        data.title,
        count,
        meter.figures(),
        meter.tool,
        network.by,
        float(np.median(spent)),
        emulated,
    )
