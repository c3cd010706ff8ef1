"""What follows raw scores, with NumPy: probabilities, and the scores of a segmenter in another size."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def softmax(logits: Array) -> Array:
    """Return probabilities over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    made: Array = powers / powers.sum(-1, keepdims=True)
    return made


def resized(values: Array, height: int, width: int, align_corners: bool) -> Array:
    """Bilinear resizing of [rows, columns, channels], pixel centres at a half or corners aligned."""
    rows, columns = (
        _weights(size, wanted, align_corners) for size, wanted in zip(values.shape[:2], (height, width), strict=True)
    )
    between: Array = np.tensordot(rows, values, (1, 0))
    made: Array = np.tensordot(columns, between, (1, 1)).transpose(1, 0, 2)
    return made


def _weights(size: int, wanted: int, align_corners: bool) -> Array:
    """The matrix [wanted, size] of a resize along one axis."""
    if align_corners:
        places = np.linspace(0, size - 1, wanted)
    else:
        places = ((np.arange(wanted) + 0.5) * size / wanted - 0.5).clip(0, size - 1)
    made: Array = np.maximum(1 - np.abs(places[:, None] - np.arange(size)), 0)
    return made
