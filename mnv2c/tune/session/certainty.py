"""Which of two ways is surely the faster one, of what measuring found."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnv2c.tune.space.task import Measured

LEAST_GAIN = 0.005
"""Smaller gains are not worth another way to run: where code and data happen to lie makes as much of a difference."""
LEAST_COUNTED = 0.001
"""The same for costs that are counted, which repeat to the digit."""
DEVIATIONS = 3.0
"""Standard errors that a ratio must lie below 1 with."""
QUARTILES_TO_ERROR = 0.93
"""The standard error of a median of n values over the distance of their quartiles by sqrt(n), if they are normal."""


def standard_error(measured: Measured) -> float:
    """Return the standard error of the ratio, a median over rounds; 0 for costs that are counted, not timed.

    Where rounds took turns between states of the caches, the ratio is that of one state, and of its rounds.
    """
    rounds, states = measured.conditions.get("rounds"), measured.conditions.get("ratios")
    count = rounds if isinstance(rounds, int) and rounds > 0 else max(1, len(measured.costs))
    if isinstance(states, list | tuple) and states:
        count = max(1, count // len(states))
    return QUARTILES_TO_ERROR * (measured.spread or 0.0) / sqrt(count)


def highest_ratio(measured: Measured) -> float:
    """Return the ratio to the default that the choice surely does not exceed."""
    assert measured.ratio is not None
    return measured.ratio + DEVIATIONS * standard_error(measured)


def least_gain(measured: Measured) -> float:
    """Return the share of the default's cost that a choice must save to be worth another way to run."""
    return LEAST_GAIN if measured.spread else LEAST_COUNTED


def surely_faster(measured: Measured) -> bool:
    """Whether a measured choice is faster than its default, without doubt and by something that matters."""
    if not measured.valid or measured.ratio is None:
        return False
    return measured.ratio <= 1 - least_gain(measured) and highest_ratio(measured) < 1
