"""Average precision of a detector as COCO defines it, without COCO's tools, which it agrees with.

Per class all detections compete in the order of their scores. One is right where it overlaps an object of its class,
not yet found by a better one of the same picture, by at least a threshold. Precision, made monotone, is averaged at
101 levels of recall, then over the classes that occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100  # detections of a picture and class that count
HIGHEST_OVERLAP = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Objects:
    """What is in a picture: ``boxes`` float [n, 4] (left, top, right, bottom edge in pixels), ``classes`` int [n].

    ``ignored`` bool [n]: neither to be found nor wrong if found; of them ``crowd`` bool [n] stand for many objects.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    crowd: NDArray[np.bool_]

    @classmethod
    def plain(cls, boxes: NDArray[np.float32], classes: NDArray[np.int64]) -> Objects:
        """Objects all of which count."""
        none = np.zeros(len(classes), np.bool_)
        return cls(boxes, classes, none, none)


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in a picture: boxes and classes as in ``Objects``, ``scores`` float [n]."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def scaled(self, extent: NDArray[np.float32]) -> Detections:
        """Relative boxes as pixels of a picture, ``extent`` = (width, height, width, height), cut at its edge."""
        return Detections((self.boxes * extent).clip(0, extent), self.classes, self.scores)


@dataclass(frozen=True)
class Precision:
    """``map`` is the mean over the thresholds 0.5 to 0.95, ``map50`` the one at 0.5, both in [0, 1].

    ``by_class`` is the one at 0.5 of every class that occurs.
    """

    map: float
    map50: float
    by_class: dict[int, float]

    def figures(self) -> dict[str, float]:
        """Plain data."""
        return {"map": self.map, "map50": self.map50}


def mean_precision(truth: Sequence[Objects], found: Sequence[Detections]) -> Precision:
    """Compare what is in the pictures with what was found in them; 0 where there is no object at all."""
    classes = sorted({int(item) for objects in truth for item in objects.classes[~objects.ignored]})
    if not classes:
        return Precision(0.0, 0.0, {})
    table = np.array([_class_precision(truth, found, item) for item in classes])  # [classes, thresholds]
    return Precision(
        float(table.mean()), float(table[:, 0].mean()), dict(zip(classes, table[:, 0].tolist(), strict=True))
    )


def overlaps(boxes: NDArray[np.float32], others: NDArray[np.float32], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union [n, m] of boxes [n, 4] and others [m, 4]; over the first's area for a ``crowd`` [m]."""
    first, second = boxes[:, None].astype(np.float64), others[None].astype(np.float64)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    both = sides.clip(0).prod(-1)
    areas = [(item[..., 2:] - item[..., :2]).clip(0).prod(-1) for item in (first, second)]
    either = np.where(crowd[None], areas[0], areas[0] + areas[1] - both)
    shares: NDArray[np.float64] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shares


def _class_precision(truth: Sequence[Objects], found: Sequence[Detections], item: int) -> NDArray[np.float64]:
    """Average precision of a class at every threshold."""
    scores, right, void, objects = [], [], [], 0
    for there, seen in zip(truth, found, strict=True):
        mine, yours = seen.classes == item, there.classes == item
        if not (mine.any() or yours.any()):
            continue
        order = np.argsort(-seen.scores[mine], kind="stable")[:MOST]
        ignored, crowd = there.ignored[yours], there.crowd[yours]
        table = overlaps(seen.boxes[mine][order], there.boxes[yours], crowd)
        hits = [_match(table, ignored, crowd, threshold) for threshold in THRESHOLDS]
        scores.append(seen.scores[mine][order])
        right.append(np.array([hit for hit, _ in hits], np.bool_).reshape(len(THRESHOLDS), -1))
        void.append(np.array([free for _, free in hits], np.bool_).reshape(len(THRESHOLDS), -1))
        objects += int(np.count_nonzero(~ignored))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits_by_score, free = np.concatenate(right, 1)[:, order], np.concatenate(void, 1)[:, order]
    return np.array([_area(hit[~skip], objects) for hit, skip in zip(hits_by_score, free, strict=True)])


def _match(
    table: NDArray[np.float64], ignored: NDArray[np.bool_], crowd: NDArray[np.bool_], threshold: float
) -> tuple[list[bool], list[bool]]:
    """For every detection, best first: whether it found an object that counts, and whether it does not count itself."""
    taken = np.zeros(len(ignored), np.bool_)
    right, void = [], []
    for row in table:
        open_ = (row >= min(threshold, HIGHEST_OVERLAP)) & (~taken | crowd)
        choice = next((group for group in (open_ & ~ignored, open_ & ignored) if group.any()), None)
        right.append(choice is not None and not ignored[choice.argmax()])
        void.append(choice is not None and bool(ignored[choice.argmax()]))
        if choice is not None:
            best = len(row) - 1 - int(np.argmax(np.where(choice, row, -1.0)[::-1]))  # the last of equals, as COCO's
            taken[best] = True
    return right, void


def _area(right: NDArray[np.bool_], objects: int) -> float:
    """Precision at the levels of recall, on average."""
    if not objects:
        return 0.0
    hits = np.cumsum(right)
    recall = hits / objects
    precision = hits / np.maximum(np.arange(1, len(right) + 1), 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    values = np.append(precision, 0.0)[np.minimum(places, len(precision))]
    return float(values.mean())
