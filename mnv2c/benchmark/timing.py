"""Statistics over interleaved rounds: every contestant has one turn per round, and ratios are formed within a round."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Turn = Callable[[int], list[float]]
"""Runs a contestant that many times and returns the milliseconds of each run."""

Rounds = list[list[float]]
"""Milliseconds of each run, per round."""

TURN_MS = 50.0
"""How long a turn lasts unless the caller gives the number of runs: long against a thread's time slice."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds per run over all runs of all rounds; ``p90_ms`` is what nine runs of ten do not exceed."""

    median_ms: float
    min_ms: float
    p90_ms: float

    def as_dict(self) -> dict[str, float]:
        """Plain data for JSON, to a tenth of a microsecond."""
        values = {"median_ms": self.median_ms, "min_ms": self.min_ms, "p90_ms": self.p90_ms}
        return {key: round(value, 4) for key, value in values.items()}


def summarise(rounds: Rounds) -> Timing:
    """Pool the runs of all rounds."""
    times = sorted(time for turn in rounds for time in turn)
    return Timing(median(times), times[0], percentile(times, 90))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that ``percent`` % of the ascending values do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def ratio(ours: Rounds, theirs: Rounds) -> float:
    """Return the median over the rounds of our median time divided by theirs in the same round."""
    return median(median(a) / median(b) for a, b in zip(ours, theirs, strict=True))


def spread(rounds: Rounds) -> float:
    """Return how much the slowest round's median exceeds the fastest's, as a share of the latter: the noise."""
    medians = [median(turn) for turn in rounds]
    return max(medians) / min(medians) - 1


def runs_per_turn(times: Sequence[float]) -> int:
    """Return how many runs make a turn of about ``TURN_MS``, from some runs' milliseconds; between 3 and 1000."""
    return min(1000, max(3, math.ceil(TURN_MS / median(times))))


def interleave(
    turns: Mapping[str, Turn], rounds: int, runs: int, progress: Callable[[str, float], None]
) -> dict[str, Rounds]:
    """Give every contestant a turn of ``runs`` runs in each of ``rounds`` rounds, in the given order."""
    found: dict[str, Rounds] = {name: [] for name in turns}
    for number in range(rounds):
        for name, turn in turns.items():
            progress(f"round {number + 1} of {rounds}", (number + list(turns).index(name) / len(turns)) / rounds)
            found[name].append(turn(runs))
    return found
