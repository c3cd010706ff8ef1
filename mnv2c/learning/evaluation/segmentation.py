"""Mean intersection over union of a segmenter, as for PASCAL VOC: over the pixels of all pictures together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnv2c.errors import UserError

UNLABELLED = 255  # a pixel of the truth that nobody labelled


class Confusion:
    """Counts pixels by true and by found class."""

    def __init__(self, classes: int) -> None:
        """``classes`` with the background."""
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, found: NDArray[Any], truth: NDArray[Any]) -> None:
        """Count one picture: two masks of one size; pixels whose truth is ``UNLABELLED`` do not count. UserError."""
        if found.shape != truth.shape:
            raise UserError(f"the mask found is {found.shape}, the true one {truth.shape}: they must be of one size")
        classes = len(self.counts)
        labelled = truth != UNLABELLED
        wanted, got = truth[labelled].astype(np.int64), found[labelled].astype(np.int64)
        if wanted.size and (wanted.max() >= classes or got.max() >= classes):
            raise UserError(f"a mask has class {max(wanted.max(), got.max())}, but there are only {classes} classes")
        self.counts += np.bincount(wanted * classes + got, minlength=classes * classes).reshape(classes, classes)

    def intersections_over_unions(self) -> NDArray[np.float64]:
        """One value per class, NaN for those that are neither in the truth nor found."""
        both = np.diag(self.counts).astype(np.float64)
        either = self.counts.sum(0) + self.counts.sum(1) - both
        shares: NDArray[np.float64] = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
        return shares

    def figures(self) -> dict[str, float]:
        """``miou`` over the classes that occur, and ``pixels``, the share of pixels that are right; both in [0, 1]."""
        values = self.intersections_over_unions()
        known = values[~np.isnan(values)]
        return {
            "miou": float(known.mean()) if known.size else 0.0,
            "pixels": float(np.trace(self.counts) / max(1, self.counts.sum())),
        }
