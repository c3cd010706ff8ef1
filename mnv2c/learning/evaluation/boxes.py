"""From a detector's raw numbers to boxes: prior boxes, decoding and non-maximum suppression with NumPy.

A second opinion on what compiled libraries do themselves, and what measures the PyTorch modules.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnv2c.learning.evaluation.detection import Detections, overlaps
from mnv2c.pictures.logits import softmax
from mnv2c.spec.priors import BoxConvention, prior_maps

LOWEST = 1e-3  # boxes of lower scores change average precision by less than it is stated to
MOST = 400  # candidates of a class where the convention has no limit, for the table of overlaps

Floats = NDArray[np.float32]


def centre_form(boxes: Floats) -> Floats:
    """(left, top, right, bottom) to (cx, cy, w, h), both [N, 4]."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def edge_form(boxes: Floats) -> Floats:
    """(cx, cy, w, h) to (left, top, right, bottom), both [N, 4]."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def prior_boxes(convention: BoxConvention, feature_maps: Sequence[tuple[int, int]], image: tuple[int, int]) -> Floats:
    """Prior boxes float32 [N, 4] as (cx, cy, w, h) relative to the image: by map, row, column, anchor.

    ``feature_maps`` are (rows, columns) of the maps, ``image`` is (height, width) in pixels. SpecError where the number
    of maps is not the convention's.
    """
    parts = []
    for each in prior_maps(convention, feature_maps, image):
        boxes = np.empty((each.rows, each.columns, len(each.sizes), 4))
        boxes[..., 0] = (np.arange(each.columns)[None, :, None] + 0.5) * each.x_step
        boxes[..., 1] = (np.arange(each.rows)[:, None, None] + 0.5) * each.y_step
        boxes[..., 2:] = each.sizes
        parts.append(boxes.reshape(-1, 4))
    priors = np.concatenate(parts)
    if convention.clip == "all":
        priors = priors.clip(0, 1)
    return priors.astype(np.float32)


def decode(coded: Floats, priors: Floats, convention: BoxConvention) -> Floats:
    """Return boxes [N, 4] (left, top, right, bottom, relative to the image) from their code and the priors [N, 4]."""
    x, y, w, h = (coded[:, place] for place in convention.coding)
    near, grow = (np.float32(variance) for variance in convention.variances)
    clamp = np.float32(np.inf if convention.clamp is None else convention.clamp)
    centres = priors[:, :2] + np.stack([x, y], 1) * near * priors[:, 2:]
    with np.errstate(over="ignore"):
        sides = priors[:, 2:] * np.exp(np.minimum(np.stack([w, h], 1) * grow, clamp))
    return edge_form(np.concatenate([centres, sides], 1).astype(np.float32))


def detections(coded: Floats, scores: Floats, priors: Floats, convention: BoxConvention) -> Detections:
    """What is left of a picture's raw boxes [N, 4] and scores [N, slots], best first; boxes relative to the image.

    Class i is slot i + 1 where slot 0 is the background, else slot i. Boxes with a number that is NaN or infinite, or
    with a score that is NaN, are left out.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        shares = _sigmoid(scores) if convention.score == "sigmoid" else softmax(scores).astype(np.float32)
        boxes = decode(coded, priors, convention)
    shares = np.where(np.isfinite(coded).all(1, keepdims=True), shares, np.float32(np.nan))
    if convention.clip_first:
        boxes = boxes.clip(0, 1)
    slots = [slot for slot in range(scores.shape[1]) if slot != convention.background]
    parts = [_suppress(boxes, shares[:, slot], index, convention) for index, slot in enumerate(slots)]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    best = np.argsort(-joined[2], kind="stable")[: convention.detections]
    return Detections(joined[0][best], joined[1][best], joined[2][best])


def _suppress(
    boxes: Floats, scores: Floats, index: int, convention: BoxConvention
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Of overlapping boxes of a class only the best remain: boxes, classes, scores, best first."""
    most = convention.per_class or convention.detections
    order = np.flatnonzero(scores > max(convention.score_threshold, LOWEST))
    order = order[np.argsort(-scores[order], kind="stable")][: convention.candidates or MOST]
    table = overlaps(boxes[order], boxes[order], np.zeros(len(order), np.bool_))
    kept: list[int] = []
    for place in range(len(order)):
        if len(kept) < most and not (table[place, kept] > convention.iou).any():
            kept.append(place)
    chosen = order[kept]
    return boxes[chosen], np.full(len(chosen), index, np.int64), scores[chosen]


def _sigmoid(values: Floats) -> Floats:
    return (1 / (1 + np.exp(-values))).astype(np.float32)
