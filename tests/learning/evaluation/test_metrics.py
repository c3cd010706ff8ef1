"""Metrics against cases that can be counted by hand, and against COCO's own tools."""

from __future__ import annotations

import numpy as np
import pytest

from mnv2c.errors import UserError
from mnv2c.learning.evaluation import Confusion, Detections, Objects, Ranks, coco_tools, mean_precision

SQUARE = [10.0, 10.0, 20.0, 20.0]
HALF = [10.0, 10.0, 20.0, 16.0]  # overlaps SQUARE by 0.6
FAR = [50.0, 50.0, 60.0, 60.0]


def objects(*boxes: list[float], classes: list[int] | None = None, ignored: list[bool] | None = None) -> Objects:
    count = len(boxes)
    return Objects(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes or [0] * count, np.int64),
        np.array(ignored or [False] * count, np.bool_),
        np.zeros(count, np.bool_),
    )


def detections(*items: tuple[list[float], float], classes: list[int] | None = None) -> Detections:
    return Detections(
        np.array([box for box, _ in items], np.float32).reshape(-1, 4),
        np.array(classes or [0] * len(items), np.int64),
        np.array([score for _, score in items], np.float32),
    )


def test_ranks() -> None:
    ranks = Ranks()
    ranks.add(np.array([[0.1, 0.9, 0.2]]), 1)
    ranks.add(np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0]), 4)
    ranks.add(np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0]), 5)
    assert ranks.figures() == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3)}


def test_of_equal_scores_the_lower_class_is_better_and_nan_is_never_right() -> None:
    ranks = Ranks()
    ranks.add(np.ones(3), 0)
    ranks.add(np.ones(3), 1)
    ranks.add(np.array([np.nan, -np.inf, 2.0]), 0)
    assert ranks.figures()["top1"] == pytest.approx(1 / 3)


def test_intersection_over_union() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 255]]))
    values = confusion.intersections_over_unions()
    assert values[:2].tolist() == [0.5, 0.5]
    assert np.isnan(values[2])
    assert confusion.figures() == {"miou": 0.5, "pixels": pytest.approx(2 / 3)}
    confusion.add(np.array([[2, 2]]), np.array([[2, 0]]))  # over all pictures, not per picture
    assert confusion.figures()["miou"] == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)


def test_masks_that_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="of one size"):
        Confusion(3).add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(UserError, match="has class 7, but there are only 3"):
        Confusion(3).add(np.zeros((1, 1), np.uint8), np.full((1, 1), 7, np.uint8))
    assert Confusion(3).figures() == {"miou": 0.0, "pixels": 0.0}


HAND = {
    "found": ([objects(SQUARE)], [detections((SQUARE, 0.5))], 1.0, 1.0),
    "nothing found": ([objects(SQUARE)], [detections()], 0.0, 0.0),
    "at 0.5, 0.55 and 0.6 only": ([objects(SQUARE)], [detections((HALF, 0.5))], 0.3, 1.0),
    "wrong place": ([objects(SQUARE)], [detections((FAR, 0.5))], 0.0, 0.0),
    "worse one too many": ([objects(SQUARE)], [detections((SQUARE, 0.5), (FAR, 0.4))], 1.0, 1.0),
    "better one too many": ([objects(SQUARE)], [detections((SQUARE, 0.5), (FAR, 0.6))], 0.5, 0.5),
    "found twice": ([objects(SQUARE, FAR)], [detections((SQUARE, 0.9), (SQUARE, 0.8), (FAR, 0.7))], None, 253 / 303),
    "half of them": ([objects(SQUARE, FAR)], [detections((SQUARE, 0.9))], 51 / 101, 51 / 101),
    "another class": ([objects(SQUARE)], [detections((SQUARE, 0.5), classes=[1])], 0.0, 0.0),
    "a class that never occurs": ([objects(SQUARE)], [detections((SQUARE, 0.5), (FAR, 0.9), classes=[0, 1])], 1.0, 1.0),
    "ignored": (
        [objects(SQUARE, FAR, ignored=[False, True])],
        [detections((FAR, 0.9), (SQUARE, 0.5))],
        1.0,
        1.0,
    ),
    "another picture": ([objects(SQUARE), objects()], [detections(), detections((SQUARE, 0.5))], 0.0, 0.0),
    "no object": ([objects()], [detections((SQUARE, 0.5))], 0.0, 0.0),
}


@pytest.mark.parametrize("case", HAND)
def test_average_precision_by_hand(case: str) -> None:
    truth, found, whole, half = HAND[case]
    result = mean_precision(truth, found)
    assert result.map50 == pytest.approx(half)
    if whole is not None:
        assert result.map == pytest.approx(whole)


def scattered(seed: int, pictures: int = 12) -> tuple[list[Objects], list[Detections]]:
    """Random objects, and detections that are near some of them; crowds, equal scores, classes that never occur."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(pictures):
        count = int(random.integers(0, 6))
        corners = random.uniform(0, 80, (count, 2))
        boxes = np.concatenate([corners, corners + random.uniform(5, 30, (count, 2))], 1).astype(np.float32)
        crowd = random.random(count) < 0.15
        classes = random.integers(0, 3, count)
        truth.append(Objects(boxes, classes, crowd, crowd))
        near = boxes[random.integers(0, count, count * 2)] + random.normal(0, 2, (count * 2, 4)) if count else boxes
        wild = np.tile(random.uniform(0, 80, (3, 2)), 2) + np.array([0, 0, 15, 15])
        seen = np.concatenate([near, wild]).astype(np.float32)
        seen[:, 2:] = np.maximum(seen[:, 2:], seen[:, :2] + 1)
        scores = np.round(random.random(len(seen)), 1).astype(np.float32)
        found.append(Detections(seen, random.integers(0, 4, len(seen)), scores))
    return truth, found


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_is_coco_s(seed: int) -> None:
    if not coco_tools.available():
        pytest.skip("pycocotools is missing: pip install 'mnv2c[coco]'")
    truth, found = scattered(seed)
    ours, theirs = mean_precision(truth, found), coco_tools.mean_precision(truth, found)
    assert ours.map == pytest.approx(theirs.map, abs=1e-9)
    assert ours.map50 == pytest.approx(theirs.map50, abs=1e-9)
    assert ours.by_class == pytest.approx(theirs.by_class, abs=1e-9)
    assert 0 < ours.map < ours.map50 < 1


@pytest.mark.parametrize("case", HAND)
def test_coco_s_tools_by_hand(case: str) -> None:
    if not coco_tools.available():
        pytest.skip("pycocotools is missing: pip install 'mnv2c[coco]'")
    truth, found, _, half = HAND[case]
    assert coco_tools.mean_precision(truth, found).map50 == pytest.approx(half)
