"""Effects of single departures are found from choices that have several, through noise."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from random import Random

from mnv2c.schedule.choice import Choice
from mnv2c.tune.effects import FEWEST, Effects, departed, departures
from mnv2c.tune.space import Space
from tests.tune.test_space import task_of


def trials(count: int, noise: float) -> tuple[Choice, dict[Choice, float], dict[tuple[str, int], object]]:
    """A chain's default, choices that depart in half of the places by one value each, and which places gain."""
    task = task_of(4)
    default = task.default
    schedule, rng = default.schedule, Random(1)
    values = {("tiles", index): replace(tile, unroll=tile.unroll + 1) for index, tile in enumerate(schedule.tiles)}
    values |= {
        ("depthwise", index): replace(row, pixels=row.pixels + 1) for index, row in enumerate(schedule.depthwise)
    }
    values["prefetch", 0] = not schedule.prefetch
    good = {place: value for place, value in values.items() if place[1] % 2 == 0}
    found = {}
    for _ in range(count):
        places = {place: value for place, value in values.items() if rng.random() < 0.5}
        logarithm = sum(-0.004 if place in good else 0.004 for place in places) + rng.gauss(0.0, noise)
        found[departed(default, places)] = exp(logarithm)
    return default, found, good


def test_departures_are_put_together_as_they_were_taken_apart() -> None:
    task, rng = task_of(4), Random(0)
    space = Space(task)
    for choice in (space.sample(rng) for _ in range(40)):
        places = departures(choice, task.default)
        if places is not None:
            assert departed(task.default, places) == choice
    assert departures(task.default, task.default) == {}
    assert departures(replace(task.default, in_place=not task.default.in_place), task.default) is None


def test_what_gains_is_combined() -> None:
    default, found, good = trials(40, 0.002)
    effects = Effects.of(found, default)
    assert effects is not None
    assert departures(effects.combined(default), default) == good


def test_nothing_is_combined_from_too_little_or_from_noise() -> None:
    default, found, _ = trials(40, 0.0)
    assert Effects.of(dict(list(found.items())[: FEWEST - 1]), default) is None
    worse = {choice: 1.01 for choice in found}
    effects = Effects.of(worse, default)
    assert effects is not None
    assert effects.combined(default) == default


def test_doubt_draws_other_combinations() -> None:
    default, found, _ = trials(12, 0.01)
    effects = Effects.of(found, default)
    assert effects is not None
    drawn = {effects.combined(default, Random(seed)) for seed in range(8)}
    assert len(drawn) > 1
    assert effects.combined(default, Random(3)) == effects.combined(default, Random(3))
