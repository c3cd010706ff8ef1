"""Lines of the measuring program as results."""

import pytest

from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.space.task import Status

WHOLE = (
    '{"number": 2, "status": "ok", "cost": 15e-7, "ratio": 990e-3, "spread": 1e-3, "error": 0, '
    '"costs": [15e-7], "core": 1}'
)


def test_a_line_becomes_a_result() -> None:
    (found,) = read_answers(WHOLE, [2], "local")
    assert (found.status, found.cost, found.ratio, found.spread) == (Status.OK, 1.5e-6, 0.99, 1e-3)
    assert (found.error, found.costs, found.conditions, found.device) == (0, (1.5e-6,), {"core": 1}, "local")


def test_results_have_the_order_of_the_numbers_and_missing_ones_are_lost() -> None:
    text = "\n".join([WHOLE, '{"number": 1, "status": "hung", "detail": "late"}', '{"number": 3, "status": "o'])
    found = read_answers(text, [1, 2, 3, 4])
    assert [answer.status for answer in found] == [Status.HUNG, Status.OK, Status.LOST, Status.LOST]
    assert found[0].detail == "late"


def test_what_is_no_answer_is_passed_over() -> None:
    text = "\n".join(["warning: odd", "[]", "7", '{"number": 2}', '{"number": 2, "status": "odd"}', WHOLE])
    assert [answer.status for answer in read_answers(text, [2])] == [Status.OK]


@pytest.mark.parametrize(
    "more",
    [
        '"status": []',
        '"status": "ok", "number": []',
        '"status": "ok", "number": true',
        '"status": "ok", "ratio": "fast"',
        '"status": "ok", "ratio": NaN',
        '"status": "ok", "cost": -1.0',
        '"status": "ok", "cost": 1e999',
        '"status": "ok", "costs": 7',
        '"status": "ok", "costs": [[]]',
    ],
)
def test_what_the_program_cannot_have_printed_is_no_answer(more: str) -> None:
    """Boards behind RPC may say anything."""
    (found,) = read_answers('{"number": 1, ' + more + "}\n", [1])
    assert found.status == Status.LOST
