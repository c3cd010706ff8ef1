"""Top-1 and top-5 of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WITHIN = (1, 5)


@dataclass
class Ranks:
    """Counts how often the right class is the best one, and among the best five."""

    count: int = 0
    within: tuple[int, ...] = (0,) * len(WITHIN)

    def add(self, scores: NDArray[Any], label: int) -> None:
        """Count one picture: scores of all classes, any shape, and the right class. Of equal scores the lower class is
        the better one, as in every answer of mnv2c; NaN is the worst.
        """
        values = np.nan_to_num(scores.reshape(-1).astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        better = int((values > values[label]).sum() + (values[:label] == values[label]).sum())
        self.count += 1
        self.within = tuple(hits + (better < k) for hits, k in zip(self.within, WITHIN, strict=True))

    def figures(self) -> dict[str, float]:
        """``top1`` and ``top5`` in [0, 1]."""
        return {f"top{k}": hits / max(1, self.count) for k, hits in zip(WITHIN, self.within, strict=True)}
