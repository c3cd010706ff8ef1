"""Made-up records of real chains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mnv2c.plan.chain import Chain
from mnv2c.plan.parts import Cut, Parts
from mnv2c.records.record import ChainRecord, CutsRecord, Evidence
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from mnv2c.spec import load
from tests.plan.networks import chains_of

CHAINS: tuple[Chain, ...] = chains_of(load("mobilenet_v2", width=0.35, resolution="96"))
SCHEDULE = ChainSchedule(2, 0, (Tile(5, 2, 4), Tile(3, 3, 8)), (DepthwiseTile(4, 2, 16, True),), True)
CHOICE = Choice(SCHEDULE, Parts(Cut.STRIPS, 2, 1, ((0, 5), (5, 9))), True)
EVIDENCE = Evidence("a CPU", "cortex-a76", "0.27", "18", "0.1", "2026-05-01T10:00:00Z", 7, "s1", {"core": 3})


def choice(rows: int) -> Choice:
    """One of many choices."""
    return Choice(replace(SCHEDULE, rows=rows))


def record(chain: Chain = CHAINS[1], rows: int = 1, ratio: float | None = 0.9, **changes: Any) -> ChainRecord:
    """A trial that was a little faster than the default."""
    values: dict[str, Any] = {"spread": 0.01, "cost": 1e-4, "device": "local", "evidence": EVIDENCE, **changes}
    values.setdefault("choice", choice(rows))
    return ChainRecord("cortex-a76", values.pop("threads", 1), "bottleneck_02", chain_id(chain), describe(chain),
                       ratio=ratio, **values)  # fmt: skip


def cuts(network: str = "0123456789abcdef", *numbers: int, **changes: Any) -> CutsRecord:
    """Cuts that were faster."""
    values: dict[str, Any] = {"cost": 0.9, "default_cost": 1.0, "evidence": EVIDENCE, **changes}
    return CutsRecord("cortex-a76", 1, "mobilenet_v2_035_96", network, numbers or (0, 3, 5), **values)
