"""What every single departure from the default does, estimated from choices that depart in several ways at once.

The stages of a chain run one after the other, so that what they save adds up. In a long chain a single stage's gain is
lost in the noise of one trial; a regression over all trials finds it, and the best of every stage can be combined.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from math import log
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from mnv2c.schedule.choice import Choice

NOISE, EFFECT = 0.004, 0.005
"""Standard deviations of a trial's ratio, and of what a departure does before anything is known of it."""
LEAST = 0.0005
"""Smaller gains are not worth a departure."""
FEWEST = 6
"""Trials of the default's kind from which on effects are estimated."""

Place = tuple[str, int]
Departure = tuple[Place, Hashable]


def departures(choice: Choice, default: Choice) -> dict[Place, Hashable] | None:
    """Return where ``choice`` differs from ``default``, with its value there.

    None where it runs in another manner, whose stages do not compare: in other steps, chunks or another place.
    """
    ours, theirs = choice.schedule, default.schedule
    same = (ours.rows, ours.chunk, choice.in_place, choice.parts)
    if same != (theirs.rows, theirs.chunk, default.in_place, default.parts):
        return None
    found: dict[Place, Hashable] = {}
    for name in ("tiles", "depthwise"):
        for index, (own, other) in enumerate(zip(getattr(ours, name), getattr(theirs, name), strict=True)):
            if own != other:
                found[name, index] = own
    if ours.prefetch != theirs.prefetch:
        found["prefetch", 0] = ours.prefetch
    return found


def departed(default: Choice, places: Mapping[Place, Hashable]) -> Choice:
    """Return the default with the given values in their places."""
    schedule = default.schedule
    lists: dict[str, list[Any]] = {"tiles": list(schedule.tiles), "depthwise": list(schedule.depthwise)}
    prefetch = schedule.prefetch
    for (name, index), value in places.items():
        if name == "prefetch":
            prefetch = bool(value)
        else:
            lists[name][index] = value
    made = replace(schedule, tiles=tuple(lists["tiles"]), depthwise=tuple(lists["depthwise"]), prefetch=prefetch)
    return replace(default, schedule=made)


@dataclass(frozen=True, eq=False)
class Effects:
    """The ``mean`` effect of each of ``known`` on the logarithm of the cost, and a ``root`` of their covariance."""

    known: tuple[Departure, ...]
    mean: npt.NDArray[np.float64]
    root: npt.NDArray[np.float64]

    @classmethod
    def of(cls, ratios: Mapping[Choice, float], default: Choice) -> Effects | None:
        """Estimate effects from measured ``ratios`` to the default; None where there are too few of its kind."""
        rows = [(departures(choice, default), ratio) for choice, ratio in ratios.items() if choice != default]
        trials = [(list(places.items()), log(ratio)) for places, ratio in rows if places]
        if len(trials) < FEWEST:
            return None
        known = tuple(dict.fromkeys(entry for places, _ in trials for entry in places))
        column = {entry: index for index, entry in enumerate(known)}
        matrix = np.zeros((len(trials), len(known)))
        for row, (places, _) in enumerate(trials):
            matrix[row, [column[entry] for entry in places]] = 1.0
        values = np.array([value for _, value in trials])
        covariance = np.linalg.inv(matrix.T @ matrix / NOISE**2 + np.eye(len(known)) / EFFECT**2)
        return cls(known, covariance @ matrix.T @ values / NOISE**2, np.linalg.cholesky(covariance))

    def combined(self, default: Choice, rng: Random | None = None) -> Choice:
        """Return the default with the best departure in every place; with ``rng`` by effects drawn as they may be."""
        effects = self.mean
        if rng is not None:
            effects = effects + self.root @ np.array([rng.gauss(0.0, 1.0) for _ in self.known])
        best: dict[Place, tuple[float, Hashable]] = {}
        for (place, value), effect in zip(self.known, effects, strict=True):
            if effect < min(-LEAST, best.get(place, (0.0, None))[0]):
                best[place] = (float(effect), value)
        return departed(default, {place: value for place, (_, value) in best.items()})
