"""What a detector is to answer: objects matched with prior boxes, and their boxes coded against these.

The inverse of ``mnv2c.learning.evaluation.boxes``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnv2c.learning.evaluation.boxes import Floats, centre_form, edge_form
from mnv2c.learning.evaluation.detection import overlaps
from mnv2c.spec.priors import BoxConvention

MATCHED = 0.5  # a prior box that overlaps an object so much is to find it
NEAR = 0.4  # one that overlaps less than that is to find nothing; between them it may answer anything
UNDECIDED = -1
SMALLEST = 1e-4  # side of a box relative to the image, so that its logarithm is finite


def encode(boxes: Floats, priors: Floats, convention: BoxConvention) -> Floats:
    """Code boxes [N, 4] (left, top, right, bottom, relative to the image) against priors [N, 4] (cx, cy, w, h)."""
    wanted = centre_form(boxes)
    shift = (wanted[:, :2] - priors[:, :2]) / priors[:, 2:] / np.float32(convention.variances[0])
    grow = np.log(np.maximum(wanted[:, 2:], SMALLEST) / priors[:, 2:]) / np.float32(convention.variances[1])
    coded = np.empty((len(boxes), 4), np.float32)
    coded[:, list(convention.coding)] = np.concatenate([shift, grow], 1)
    return coded


def match(
    boxes: Floats, classes: NDArray[np.int64], priors: Floats, convention: BoxConvention
) -> tuple[NDArray[np.int64], Floats]:
    """Return for every prior the class slot that it is to answer, int64 [N], and the coded box, float32 [N, 4].

    ``boxes`` are relative to the image; class i has slot i + 1. 0 stands for nothing, ``UNDECIDED`` for any answer.
    Every object gets the prior that overlaps it most, whatever the overlap.
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
