"""Lines of records: what is written is read again, and nothing else is taken for a record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import ScheduleError
from mnv2c.records.record import SCHEMA, from_line, public_url, to_line
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import restore
from mnv2c.schedule.record import ChainSchedule
from mnv2c.spec import load
from tests.plan.networks import chains_of
from tests.records.samples import CHOICE, SCHEDULE, choice, cuts, record

RECORDS = [
    record(choice=CHOICE, threads=2, default=True, confirmed=True, error=1e-6, peak_share=0.7),
    record(status="crashed", ratio=None, cost=None, spread=None),
    cuts(),
]


@pytest.mark.parametrize("entry", RECORDS)
def test_a_line_is_read_as_it_was_written(entry: Any) -> None:
    line = to_line(entry)
    assert "\n" not in line
    assert from_line(line) == entry
    assert to_line(from_line(line)) == line  # type: ignore[arg-type]
    assert json.loads(line)["schema"] == SCHEMA


def test_a_line_holds_the_chain() -> None:
    for chain in chains_of(load("mobilenet_v2", width=0.35, resolution="96")):
        found = from_line(to_line(record(chain)))
        assert restore(found.chain).madds == chain.madds  # type: ignore[union-attr]


def test_choices_are_plain_data_and_back() -> None:
    for entry in (CHOICE, choice(3)):
        assert Choice.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry
    assert ChainSchedule.from_dict(SCHEDULE.to_dict()) == SCHEDULE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schedule", "rows"), -1), (("schedule", "rows"), True), (("schedule", "tiles"), [1]),
        (("schedule", "tiles", 0, "unroll"), 0), (("schedule", "prefetch"), 1), (("schedule", "chunk"), None),
        (("parts", "cut"), "diagonal"), (("parts", "count"), 0), (("parts", "ranges"), [[1]]), (("in_place",), "yes"),
        (("schedule",), None), (("parts",), 3), (("schedule", "rows"), 10**9), (("schedule", "chunk"), 10**400),
        (("schedule", "tiles", 0, "unroll"), 10**9), (("schedule", "depthwise", 0, "pixels"), 10**9),
        (("schedule", "depthwise", 0, "group"), 1 << 70), (("parts", "count"), 10**9),
        (("schedule", "tiles"), "x" * 10**6), (("parts", "ranges"), [[0, 1]] * 10**4),
    ],
)  # fmt: skip
def test_what_is_no_choice_is_refused(path: tuple[Any, ...], value: object) -> None:
    values = json.loads(json.dumps(CHOICE.to_dict()))
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ScheduleError, match="must be") as caught:
        Choice.from_dict(values)
    assert len(str(caught.value)) < 300
    line = {**json.loads(to_line(record())), "choice": values}
    assert from_line(json.dumps(line)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"schema": None}, {"kind": "weights"}, {"threads": 0}, {"ratio": "fast"}, {"status": 1},
        {"chain_id": "0123456789abcdef"}, {"chain": []}, {"choice": None}, {"default": 0}, {"evidence": {"date": 5}},
        {"evidence": None}, {"ratio": 10**400}, {"cost": 1e999}, {"spread": float("nan")}, {"error": -1e999},
    ],
)  # fmt: skip
def test_foreign_lines_are_no_records(change: dict[str, object]) -> None:
    assert from_line(json.dumps({**json.loads(to_line(record())), **change})) is None


def test_what_a_later_version_adds_is_ignored() -> None:
    values = json.loads(to_line(record()))
    assert from_line(json.dumps({**values, "humidity": 0.4})) == record()


@given(st.text() | st.integers(0, 10_000))
def test_no_text_is_an_error(text: str | int) -> None:
    line = to_line(record())
    shown = line[:text] if isinstance(text, int) else text
    assert from_line(shown) in (None, record())


def test_numbers_that_are_not_finite_become_null() -> None:
    found = from_line(to_line(replace(record(), cost=float("inf"), ratio=float("nan"))))
    assert found is not None
    assert found.cost is None
    assert not found.valid


def test_no_password_is_written() -> None:
    assert public_url("ssh://pi:s3:cr@t@board:22/x?core=3") == "ssh://pi@board:22/x?core=3"
    assert public_url("ssh://pi@board:22/x") == "ssh://pi@board:22/x"
    assert public_url("rpc://board:9090") == "rpc://board:9090"
    assert "s3cret" not in to_line(record(device="ssh://pi:s3cret@board"))
