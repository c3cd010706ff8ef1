"""Rounding of channel counts under a width multiplier (TF-Slim's rule, which all published checkpoints follow)."""

from __future__ import annotations

from mnv2c.spec.table2 import LAST_CHANNELS

DIVISOR = 8
MINIMUM = 8


def make_divisible(channels: float, divisor: int = DIVISOR, minimum: int = MINIMUM) -> int:
    """Round ``channels`` to the nearest multiple of ``divisor``, at least ``minimum`` and never below 90 %."""
    rounded = max(minimum, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def scaled(channels: int, width: float) -> int:
    """Return the channel count of Table 2's ``channels`` under the width multiplier ``width``."""
    return make_divisible(channels * width)


def last_channels(width: float) -> int:
    """Return the channels of the last 1x1 convolution, which is not shrunk below width 1 (paper, section 6.1)."""
    return scaled(LAST_CHANNELS, max(width, 1.0))
