"""One way to run a chain, whole: what tuning decides between and records keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.errors import ScheduleError
from mnv2c.plan.parts import Cut, Parts
from mnv2c.schedule.record import MOST_ENTRIES, ChainSchedule, switch, whole


@dataclass(frozen=True)
class Choice:
    """One way to run a chain: its schedule, how threads share it (None: one thread does all), whether in place."""

    schedule: ChainSchedule
    parts: Parts | None = None
    in_place: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON-compatible data."""
        parts = None if self.parts is None else parts_to_dict(self.parts)
        return {"schedule": self.schedule.to_dict(), "parts": parts, "in_place": self.in_place}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Choice:
        """Return the choice that `to_dict` described; ScheduleError for what is none."""
        schedule, parts = values.get("schedule"), values.get("parts")
        if not isinstance(schedule, Mapping) or not isinstance(parts, Mapping | None):
            raise ScheduleError("choice: schedule must be a table, and parts a table or null")
        shared = None if parts is None else parts_from_dict(parts)
        return cls(ChainSchedule.from_dict(schedule), shared, switch(values, "in_place"))


def parts_to_dict(parts: Parts) -> dict[str, Any]:
    """Return how threads share a kernel as JSON-compatible data."""
    return {
        "cut": str(parts.cut),
        "count": parts.count,
        "phases": parts.phases,
        "ranges": [list(steps) for steps in parts.ranges],
    }


def parts_from_dict(values: Mapping[str, Any]) -> Parts:
    """Return what `parts_to_dict` described; ScheduleError for what is none."""
    cut, ranges = values.get("cut"), values.get("ranges")
    if cut not in tuple(Cut):
        raise ScheduleError(f"parts: cut must be {' or '.join(Cut)}, not {shown(cut)}")
    if not isinstance(ranges, list) or len(ranges) > MOST_ENTRIES or not all(_is_range(entry) for entry in ranges):
        raise ScheduleError(f"parts: ranges must be a list of pairs of whole numbers, not {shown(ranges)}")
    steps = tuple((begin, end) for begin, end in ranges)
    return Parts(Cut(cut), whole(values, "count", 1), whole(values, "phases", 1), steps)


def _is_range(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(type(value) is int for value in entry)
