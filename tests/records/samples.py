"""Made-up records of a bottleneck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind, Window
from mnv2c.plan.parts import Cut, Parts
from mnv2c.records.record import ChainRecord, CutsRecord, Evidence
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile

SHAPE, WIDE = Shape(12, 12, 16), Shape(12, 12, 96)
CHAIN = Chain(
    "bottleneck",
    (SHAPE,),
    (
        Stage("expand", StageKind.EXPAND, ("input_0",), WIDE, activation=RELU6),
        Stage("depthwise", StageKind.DEPTHWISE, ("expand",), WIDE, Window((3, 3), padding=((1, 1), (1, 1))), RELU6),
        Stage("project", StageKind.PROJECT, ("depthwise",), SHAPE),
        Stage("add", StageKind.ADD, ("project", "input_0"), SHAPE),
    ),
    ("add",),
)
SCHEDULE = ChainSchedule(2, 0, (Tile(5, 2, 4), Tile(3, 3, 8)), (DepthwiseTile(4, 2, 16, True),), True)
CHOICE = Choice(SCHEDULE, Parts(Cut.STRIPS, 2, 1, ((0, 5), (5, 9))), True)
EVIDENCE = Evidence("a CPU", "cortex-a76", "0.27", "18", "0.1", "2026-05-01T10:00:00Z", 7, "s1", {"core": 3})


def choice(rows: int) -> Choice:
    """One of many choices."""
    return Choice(replace(SCHEDULE, rows=rows))


def record(chain: Chain = CHAIN, rows: int = 1, ratio: float | None = 0.9, **changes: Any) -> ChainRecord:
    """A trial that was a little faster than the default."""
    values: dict[str, Any] = {"spread": 0.01, "cost": 1e-4, "device": "local", "evidence": EVIDENCE, **changes}
    values.setdefault("choice", choice(rows))
    target, threads = values.pop("target", "cortex-a76"), values.pop("threads", 1)
    label = values.pop("label", "bottleneck_02")
    return ChainRecord(target, threads, label, chain_id(chain), describe(chain), ratio=ratio, **values)


def cuts(network: str = "0123456789abcdef", numbers: tuple[int, ...] = (0, 3, 5), **changes: Any) -> CutsRecord:
    """Cuts that were faster."""
    values: dict[str, Any] = {"cost": 0.9, "default_cost": 1.0, "evidence": EVIDENCE, **changes}
    target, threads = values.pop("target", "cortex-a76"), values.pop("threads", 1)
    return CutsRecord(target, threads, "mobilenet_v2_035_96", network, numbers, **values)


def dated(date: str, **changes: Any) -> Evidence:
    """Evidence of another day."""
    return replace(EVIDENCE, date=date, **changes)
