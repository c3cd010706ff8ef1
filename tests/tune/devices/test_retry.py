"""What is tried again, how often, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mnv2c.errors import DeviceError
from mnv2c.tune.devices.retry import PAUSES, FullError, KilledError, Patience, UnreachableError
from mnv2c.tune.space.task import Measured, Status
from tests.tune.devices.conftest import Warnings

Found = Callable[[int, Measured], None]


class Board:
    """Measures a number per item of ``events``: None, or the error that comes instead."""

    def __init__(self, *events: DeviceError | None) -> None:
        self.events = list(events)
        self.asked: list[list[int]] = []

    def attempt(self, numbers: Sequence[int], found: Found) -> None:
        self.asked.append(list(numbers))
        for number in numbers:
            event = self.events.pop(0) if self.events else None
            if event is not None:
                raise event
            found(number, Measured(Status.OK, cost=number))


def test_nothing_is_measured_twice(patience: Patience, warnings: Warnings) -> None:
    board = Board(None, UnreachableError("gone"), FullError("full"), None, KilledError("killed"))
    found = patience.measure([5, 6, 7], board.attempt)
    assert [result.cost for result in found] == [5, 6, 7]
    assert board.asked == [[5, 6, 7], [6, 7], [6, 7], [7]]
    assert [line.split("; ")[0] for line in warnings.lines] == [
        "the board: gone", "the board: full", "the board: killed",
    ]  # fmt: skip


def test_progress_starts_the_pauses_anew(patience: Patience) -> None:
    gone = [UnreachableError("gone")] * len(patience.pauses)
    board = Board(*gone, None, *gone, None, *gone)
    assert all(result.valid for result in patience.measure([1, 2, 3], board.attempt))


def test_what_kills_the_program_every_time_crashed(patience: Patience) -> None:
    board = Board(None, *[KilledError("killed")] * 3)
    found = patience.measure([1, 2, 3], board.attempt)
    assert [result.status for result in found] == [Status.OK, Status.CRASHED, Status.OK]


def test_an_attempt_without_an_answer_counts_as_killed(patience: Patience) -> None:
    found = patience.measure([1], lambda numbers, found: None)
    assert [result.status for result in found] == [Status.CRASHED]


def test_after_giving_up_one_try_is_left_until_it_answers(patience: Patience, warnings: Warnings) -> None:
    gone = UnreachableError("gone")
    board = Board(*[gone] * 6, None, gone, gone)
    assert [result.status for result in patience.measure([1, 2], board.attempt)] == [Status.LOST] * 2
    assert len(board.asked) == 4
    assert [result.status for result in patience.measure([3], board.attempt)] == [Status.LOST]
    assert len(board.asked) == 6
    assert all(result.valid for result in patience.measure([4, 5], board.attempt))
    assert "given up, 2 candidates" in warnings.text


def test_any_error_of_a_device_may_pass_in_the_middle_of_a_session(patience: Patience) -> None:
    board = Board(None, DeviceError("Permission denied"))
    assert all(result.valid for result in patience.measure([1, 2], board.attempt))


def test_only_what_may_pass_is_tried_again_at_the_start(patience: Patience) -> None:
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise DeviceError("no key")

    def stay_away() -> None:
        calls.append(2)
        raise UnreachableError("gone")

    with pytest.raises(DeviceError, match="no key"):
        patience.open(refuse)
    with pytest.raises(UnreachableError):
        patience.open(stay_away)
    assert calls == [1, 2, 2]


def test_the_end_of_the_session_ends_a_pause(patience: Patience) -> None:
    patience.pauses = (3600.0,)
    patience.warn = lambda line: patience.stop.set()
    found = patience.measure([1], Board(UnreachableError("gone")).attempt)
    assert [result.status for result in found] == [Status.LOST]


def test_pauses_grow_and_last_as_long_as_a_boot() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert sum(PAUSES) >= 120
