"""The tolerance within which a compiled library must agree with its reference, and how it is measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

#: max |y - reference| / max |reference| per tensor, for float32. The only place where it is written.
FLOAT32 = 1e-4


def relative_error(result: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> float:
    """Return max |result - reference| / max |reference|; infinite where either is not finite.

    Both arrays have the same shape. An all-zero reference allows only an all-zero result.
    """
    import numpy as np

    if not (np.isfinite(result).all() and np.isfinite(reference).all()):
        return math.inf
    error = float(np.max(np.abs(result.astype(np.float64) - reference), initial=0.0))
    scale = float(np.max(np.abs(reference), initial=0.0))
    if scale == 0.0:
        return 0.0 if error == 0.0 else math.inf
    return error / scale


def mask_error(mask: np.ndarray[Any, Any], reference: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Return the error of classes: by how much the score of a wrong one is below that of the reference's.

    ``mask`` and ``reference`` hold a class per pixel, ``scores`` [pixels, classes] are those of the reference. The
    result is the largest such difference / max |scores|, so that the same tolerance holds for scores and their classes:
    a pixel may differ only where the reference itself is undecided by so little. Infinite for a class that is none.
    """
    import numpy as np

    wanted, found = reference.reshape(-1).astype(np.int64), mask.reshape(-1).astype(np.int64)
    if wanted.size != found.size or not np.isfinite(scores).all():
        return math.inf
    if not ((found >= 0) & (found < scores.shape[1])).all():
        return math.inf
    wrong = np.flatnonzero(wanted != found)
    if not wrong.size:
        return 0.0
    behind = scores[wrong, wanted[wrong]].astype(np.float64) - scores[wrong, found[wrong]]
    scale = float(np.max(np.abs(scores)))
    return float(behind.max()) / scale if scale else 0.0
