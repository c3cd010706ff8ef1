"""One way to run a chain, whole: what tuning decides between and records keep."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.plan.parts import Parts
from mnv2c.schedule.record import ChainSchedule


@dataclass(frozen=True)
class Choice:
    """One way to run a chain: its schedule, how threads share it (None: one thread does all), whether in place."""

    schedule: ChainSchedule
    parts: Parts | None = None
    in_place: bool = False
