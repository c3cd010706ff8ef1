"""What tools/ship_schedules.py takes from a session's records, and what it leaves out for its memory."""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnv2c.kernels.microkernels import provider
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.records.record import Record
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.records import samples

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "ship_schedules.py"))
UNIT = provider("float32", "neon")
INPUT, RESULT = Shape(7, 7, 320), Shape(7, 7, 1280)
HEAD = Chain("head", (INPUT,), (Stage("pointwise", StageKind.POINTWISE, ("input_0",), RESULT),), ("pointwise",))
PLAIN = Choice(ChainSchedule(0, 0, (Tile(4, 2, 4),), (), False))
OTHER = Choice(ChainSchedule(0, 0, (Tile(7, 2, 4),), (), False))
MORE = Choice(ChainSchedule(0, 0, (Tile(4, 2, 4, strassen=True),), (), False))


def session(choice: Choice, ratio: float, chain: Chain = HEAD) -> list[Record]:
    """The default, a faster choice that was confirmed, and cuts."""
    return [
        samples.record(chain, ratio=1.0, choice=PLAIN, default=True),
        samples.record(chain, ratio=ratio, choice=choice, confirmed=True),
        samples.cuts(),
    ]


def shipped(records: list[Record]) -> list[Record]:
    found: Any = TOOL["shipped"](records, UNIT)
    return list(found)


@pytest.mark.parametrize(
    "choice, ratio, taken",
    [(OTHER, 0.99, True), (MORE, 0.97, False), (MORE, 0.95, True), (PLAIN, 1.0, True)],
    ids=["as much memory", "much more memory", "worth it", "the default"],
)
def test_more_memory_must_be_worth_it(choice: Choice, ratio: float, taken: bool) -> None:
    records = session(choice, ratio)
    assert shipped(records) == (records[1:] if taken else [])


@pytest.mark.parametrize(("ratio", "taken"), [(0.95, False), (0.93, False), (0.91, True)])
def test_half_a_megabyte_must_be_worth_more(ratio: float, taken: bool) -> None:
    shape, wide = Shape(33, 33, 32), Shape(33, 33, 192)
    stages = [
        replace(stage, shape=wide if stage.shape == samples.WIDE else shape) for stage in samples.CHAIN.stages[:-1]
    ]
    chain = Chain("bottleneck", (shape,), tuple(stages), ("project",))
    tiles, rows = (Tile(4, 2, 4), Tile(4, 2, 4)), (DepthwiseTile(4, 2),)
    streamed, whole = (Choice(ChainSchedule(count, 0, tiles, rows, False)) for count in (1, 0))
    records: list[Record] = [
        samples.record(chain, ratio=1.0, choice=streamed, default=True),
        samples.record(chain, ratio=ratio, choice=whole, confirmed=True),
    ]
    assert shipped(records) == (records[1:] if taken else [])


def test_a_little_more_memory_does_not_matter() -> None:
    small = replace(HEAD, inputs=(Shape(7, 7, 32),))
    records = session(MORE, 0.99, small)
    assert shipped(records) == records[1:]


def test_what_was_not_confirmed_is_not_taken() -> None:
    assert shipped([samples.record(HEAD, ratio=0.5, choice=OTHER)]) == []
