"""Cutting one kernel call into parts that run at the same time, as data: strips of rows, or groups of columns.

A strip computes some of a chain's steps with scratch memory of its own. What its windows see of the strip above is
computed again, but only that: `first_rows` says how far up each stage must begin. Groups of columns share scratch
memory instead and compute nothing twice, but stages that need all channels wait for each other, phase by phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from mnv2c.plan.chain import Chain, Window
from mnv2c.plan.rows import Flow, StageFlow


class Cut(StrEnum):
    """How a kernel is cut; the value is the name used in metadata."""

    STRIPS = "strips"
    COLUMNS = "columns"


@dataclass(frozen=True)
class Parts:
    """``count`` parts per phase, all of which must be done before the next of ``phases`` begins.

    ``ranges`` are the steps [begin, end) of each strip, in order and without gaps; empty for columns.
    """

    cut: Cut
    count: int
    phases: int = 1
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def copies(self) -> int:
        """How many times scratch memory is needed."""
        return self.count if self.cut is Cut.STRIPS else 1


def strip_ranges(plan: Flow, count: int) -> tuple[tuple[int, int], ...]:
    """Cut the steps [0, last_step) into at most ``count`` ranges whose lengths differ by one at most."""
    count = min(count, plan.last_step)
    bounds = [plan.last_step * part // count for part in range(count + 1)]
    return tuple(pairwise(bounds))


def first_rows(chain: Chain, plan: Flow) -> dict[str, int]:
    """Return by stage how far its first row lies from ``begin · rate`` in a strip that starts at step ``begin``."""
    first: dict[str, int] = {}
    for stage in reversed(chain.stages):
        delivers = stage.name in chain.outputs or not chain.consumers(stage.name)
        seen = [own_row(plan.stages[stage.name])] if delivers else []
        for reader in chain.consumers(stage.name):
            window = reader.window if reader.sources[0] == stage.name else Window()
            seen.append(first[reader.name] * window.stride[0] - window.padding[0][0])
        first[stage.name] = min(seen)
    return first


def own_row(rows: StageFlow) -> int:
    """Return where the rows begin that a strip delivers of a stage, relative to ``begin · rate``: zero or less.

    What the strip above it does not make, since the stage runs behind the last one, is its own.
    """
    return min(rows.lead, 0)


def warm_up(chain: Chain, plan: Flow) -> int:
    """Return the first step of a strip relative to the one whose rows it delivers: zero or less."""
    first = first_rows(chain, plan)
    return min((first[name] - rows.lead) // rows.rate for name, rows in plan.stages.items())


def strip_share(rows: StageFlow, height: int, first: int, begin: int, end: int) -> float:
    """Return which share of a stage's ``height`` rows the strip [begin, end) computes; ``first`` as in `first_rows`."""
    low = max(0, begin * rows.rate + first)
    return max(0, min(height, end * rows.rate + rows.lead + rows.again) - low) / height
