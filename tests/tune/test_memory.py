"""Choices that take more memory than their default must be worth it before a session takes them."""

from __future__ import annotations

import pytest

from mnv2c import targets
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import ChainSchedule, Tile
from mnv2c.tune.session.chain_state import ChainState
from mnv2c.tune.space.task import Measured, Status, Task
from tests.tune.session_fakes import FakeSearch

INPUT, RESULT = Shape(7, 7, 320), Shape(7, 7, 1280)
HEAD = Chain("head", (INPUT,), (Stage("pointwise", StageKind.POINTWISE, ("input_0",), RESULT),), ("pointwise",))


def choice(*tile: int, strassen: bool = False) -> Choice:
    return Choice(ChainSchedule(0, 0, (Tile(*tile, strassen=strassen),), (), False))


PLAIN, OTHER = choice(4, 2, 4), choice(7, 2, 4)
STRASSEN = choice(4, 2, 4, strassen=True)
"""Keeps sums of pixels and of weights, far more than a tenth of what the default takes."""
ILLEGAL = choice(4, 200, 4, strassen=True)
"""Has no pair of tiles of 800 channels."""


def found(ratio: float) -> Measured:
    return Measured(Status.OK, ratio * 1e-3, ratio, 0.0, costs=(ratio * 1e-3,) * 20)


def state(**ratios: float) -> ChainState:
    task = Task("head", HEAD, targets.load("cortex-a76"), PLAIN)
    made = ChainState(task, FakeSearch(task, []))
    choices = {"other": OTHER, "strassen": STRASSEN, "illegal": ILLEGAL}
    made.learn([(PLAIN, found(1.0)), *((choices[name], found(ratio)) for name, ratio in ratios.items())])
    return made


def test_what_takes_much_more_memory_for_little_is_no_contender() -> None:
    searched = state(other=0.99, strassen=0.97)
    assert searched.contenders() == (OTHER,)
    assert searched.best_ratio == 0.99


def test_what_saves_enough_may_take_it() -> None:
    assert state(other=0.99, strassen=0.95).contenders() == (STRASSEN, OTHER)


@pytest.mark.parametrize(("ratio", "taken"), [(0.95, STRASSEN), (0.97, OTHER)])
def test_the_longer_measurement_counts(ratio: float, taken: Choice) -> None:
    searched = state(other=0.98, strassen=0.95)
    searched.confirm([(STRASSEN, found(ratio)), (OTHER, found(0.98))])
    assert searched.decision is not None
    assert searched.decision.choice == taken


def test_what_is_on_record_and_no_longer_legal_is_no_contender() -> None:
    assert state(illegal=0.5).contenders() == ()
