"""Rounding of channel counts under a width multiplier (TF-Slim's rule, which all published checkpoints follow)."""

from __future__ import annotations

from mnv2c.spec.table2 import LAST_CHANNELS, STEM_CHANNELS

DIVISOR = 8
MINIMUM = 8


def make_divisible(channels: float, divisor: int = DIVISOR, minimum: int = MINIMUM) -> int:
    """Round ``channels`` to the nearest multiple of ``divisor``, at least ``minimum`` and never below 90 %."""
    rounded = max(minimum, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def scaled(channels: int, width: float) -> int:
    """Return the channel count of Table 2's ``channels`` under the width multiplier ``width``."""
    return make_divisible(channels * width)


def stem_channels(width: float, stem_head: str) -> int:
    """Return the channels of the first convolution; ``stem_head`` "fixed" leaves them at Table 2's."""
    return STEM_CHANNELS if stem_head == "fixed" else scaled(STEM_CHANNELS, width)


def last_channels(width: float, stem_head: str = "scaled") -> int:
    """Return the channels of the last 1x1 convolution, which is not shrunk below width 1 (paper, section 6.1)."""
    return LAST_CHANNELS if stem_head == "fixed" else scaled(LAST_CHANNELS, max(width, 1.0))
