"""Axes: from values to pixels, and the round values to mark."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps values from ``start`` to ``end`` to pixels from ``low`` to ``high``, linearly."""

    start: float
    end: float
    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        return self.low + self._part(value) * (self.high - self.low)

    def _part(self, value: float) -> float:
        return (value - self.start) / (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """Return about ``count`` round values in the range."""
        raw = (self.end - self.start) / count
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
        return [index * step for index in range(math.ceil(self.start / step), int(self.end / step) + 1)]


class LogarithmicAxis(Axis):
    """The same by the logarithms of the values, all positive."""

    def _part(self, value: float) -> float:
        return math.log(value / self.start) / math.log(self.end / self.start)

    def ticks(self, count: int = 0) -> list[float]:
        """Return 1, 2 and 5 times the powers of ten in the range; ``count`` does not matter."""
        powers = range(math.floor(math.log10(self.start)), math.ceil(math.log10(self.end)) + 1)
        values = (factor * 10.0**power for power in powers for factor in (1, 2, 5))
        return [value for value in values if self.start <= value <= self.end]
