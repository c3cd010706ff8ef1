"""What a detector is to answer: objects matched with prior boxes, and their boxes coded against these.

The inverse of the decoding that ``mnv2c.spec.priors.BoxConvention`` describes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnv2c.evaluation.detection import overlaps
from mnv2c.spec.priors import BoxConvention

MATCHED = 0.5  # a prior box that overlaps an object so much is to find it
NEAR = 0.4  # one that overlaps less than that is to find nothing; between them it may answer anything
UNDECIDED = -1
SMALLEST = 1e-4  # side of a box relative to the image, so that its logarithm is finite

Floats = NDArray[np.float32]


def centre_form(boxes: Floats) -> Floats:
    """(left, top, right, bottom) to (cx, cy, w, h), both [N, 4]."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def edge_form(boxes: Floats) -> Floats:
    """(cx, cy, w, h) to (left, top, right, bottom), both [N, 4]."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def encode(boxes: Floats, priors: Floats, convention: BoxConvention) -> Floats:
    """Code boxes [N, 4] (left, top, right, bottom, relative to the image) against priors [N, 4] (cx, cy, w, h)."""
    wanted = centre_form(boxes)
    shift = (wanted[:, :2] - priors[:, :2]) / priors[:, 2:] / np.float32(convention.variances[0])
    grow = np.log(np.maximum(wanted[:, 2:], SMALLEST) / priors[:, 2:]) / np.float32(convention.variances[1])
    coded = np.empty((len(boxes), 4), np.float32)
    coded[:, list(convention.coding)] = np.concatenate([shift, grow], 1)
    return coded


def decode(coded: Floats, priors: Floats, convention: BoxConvention) -> Floats:
    """Return boxes [N, 4] (left, top, right, bottom, relative to the image) from their code."""
    x, y, w, h = (coded[:, place] for place in convention.coding)
    near, size = np.float32(convention.variances[0]), np.float32(convention.variances[1])
    clamp = np.float32(np.inf if convention.clamp is None else convention.clamp)
    centres = priors[:, :2] + np.stack([x, y], 1) * near * priors[:, 2:]
    with np.errstate(over="ignore"):
        sides = priors[:, 2:] * np.exp(np.minimum(np.stack([w, h], 1) * size, clamp))
    return edge_form(np.concatenate([centres, sides], 1).astype(np.float32))


def match(
    boxes: Floats, classes: NDArray[np.int64], priors: Floats, convention: BoxConvention
) -> tuple[NDArray[np.int64], Floats]:
    """Return for every prior the class slot that it is to answer, int64 [N], and the coded box, float32 [N, 4].

    ``boxes`` are relative to the image; class i has slot i + 1. 0 stands for nothing, ``UNDECIDED`` for any answer. Every
    object gets the prior that overlaps it most, whatever the overlap.
    """
    slots = np.zeros(len(priors), np.int64)
    if not len(boxes):
        return slots, np.zeros((len(priors), 4), np.float32)
    table = overlaps(edge_form(priors), boxes, np.zeros(len(boxes), np.bool_))  # [priors, objects]
    which, most = table.argmax(1), table.max(1)
    slots[most >= NEAR] = UNDECIDED
    best = table.argmax(0)
    which[best], most[best] = np.arange(len(boxes)), 1.0
    found = most >= MATCHED
    slots[found] = classes[which[found]] + 1
    return slots, encode(boxes[which], priors, convention)
