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
