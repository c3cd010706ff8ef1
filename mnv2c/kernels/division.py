"""How a kernel can be cut for several threads, and how long its slowest part takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from mnv2c.errors import ScheduleError
from mnv2c.kernels.columns import Placed, cuts_columns, overwrites_late, phases, placed_units
from mnv2c.kernels.cost import L3_VECTORS_PER_CYCLE, Caches, memory_cycles, unit_cycles
from mnv2c.kernels.layout import KernelLayout
from mnv2c.plan.chain import StageKind
from mnv2c.plan.parts import Cut, Parts, first_rows, strip_ranges, strip_share

BARRIER = 2_000
"""Cycles that the end of a phase costs: handing over takes 0.15 µs (Zen 4), then results come from other caches."""

Ranges = tuple[tuple[int, int], ...]


def divisions(layout: KernelLayout, threads: int, caches: Caches) -> Iterator[tuple[Parts, float]]:
    """Yield the ways to cut a kernel for ``threads`` threads, with the predicted cycles until the last part is done."""
    if threads == 1:
        return
    prices = _Prices(layout, unit_cycles(layout), memory_cycles(layout, caches), first_rows(layout.chain, layout.flow))
    if layout.flow.whole:
        windows = sum(unit.stage.kind is StageKind.DEPTHWISE for unit in layout.units)
        # Joined whole images (more than one window) would all lie in scratch memory at once.
        if windows <= 1 and _may_cut_columns(layout):
            parts = Parts(Cut.COLUMNS, threads, phases(layout))
            yield parts, shared_cycles(layout, parts, caches)
    elif _may_cut_strips(layout):
        ranges, cycles = prices.balanced(threads)
        yield Parts(Cut.STRIPS, len(ranges), ranges=ranges), cycles + BARRIER


def _may_cut_columns(layout: KernelLayout) -> bool:
    safe = not layout.chain.in_place or overwrites_late(layout)
    return layout.flow.whole and layout.chunks == 1 and safe and cuts_columns(layout)


def _may_cut_strips(layout: KernelLayout) -> bool:
    return not layout.flow.whole and not layout.chain.in_place and layout.flow.last_step > 1


def check_parts(layout: KernelLayout, parts: Parts | None, threads: int) -> None:
    """Raise ScheduleError unless a kernel laid out so can be cut into ``parts`` for ``threads`` threads."""
    if parts is None:
        return
    if not 1 < threads or parts.count > threads:
        raise ScheduleError(f"{parts.count} parts are too many for {threads} threads")
    if parts.cut is Cut.COLUMNS:
        if not _may_cut_columns(layout) or parts.ranges or parts.phases != phases(layout):
            raise ScheduleError("the kernel cannot be cut into such columns")
        return
    bounds = [0, *(end for _, end in parts.ranges)]
    whole = bounds[-1] == layout.flow.last_step and tuple(pairwise(bounds)) == parts.ranges
    rising = all(begin < end for begin, end in parts.ranges)
    fits = whole and rising and len(parts.ranges) == parts.count and parts.phases == 1
    if not _may_cut_strips(layout) or not fits:
        raise ScheduleError("the kernel cannot be cut into such strips")


def shared_cycles(layout: KernelLayout, parts: Parts, caches: Caches) -> float:
    """Return the predicted cycles until the last of ``parts`` is done, for any cut that `divisions` could yield."""
    prices = _Prices(layout, unit_cycles(layout), memory_cycles(layout, caches), first_rows(layout.chain, layout.flow))
    if parts.cut is Cut.STRIPS:
        return prices.slowest(parts.ranges) + BARRIER
    placed = placed_units(layout)
    return prices.columns(placed, parts.count) + _exchanged(layout, placed, parts.count) + parts.phases * BARRIER


@dataclass(frozen=True, eq=False)
class _Prices:
    """Predicted cycles of a whole kernel: ``compute`` by unit, ``memory``; ``first`` as in `first_rows`."""

    layout: KernelLayout
    compute: Mapping[str, float]
    memory: float
    first: Mapping[str, int]

    def _of(self, shares: Mapping[str, float]) -> float:
        compute = sum(cycles * shares[name] for name, cycles in self.compute.items())
        return compute + self.memory * max(shares.values())

    def columns(self, placed: tuple[Placed, ...], parts: int) -> float:
        """Cycles of the part that has most channels in every unit."""
        return self._of({entry.unit.result: self._largest_share(entry, parts) for entry in placed})

    def _largest_share(self, entry: Placed, parts: int) -> float:
        if entry.unit.stage.kind is StageKind.POOL:
            return 1.0
        total = -(-entry.unit.stage.shape.channels // self.layout.provider.lanes)
        return replace(entry.share, parts=parts).largest(total) / total

    def _strip(self, begin: int, end: int) -> float:
        flow = self.layout.flow.stages
        shares = {
            unit.result: strip_share(flow[unit.result], unit.stage.shape.rows, self.first[unit.result], begin, end)
            for unit in self.layout.units
        }
        return self._of(shares)

    def balanced(self, threads: int) -> tuple[Ranges, float]:
        """Cut the steps into strips of about equal time, and return the longest: the first one makes nothing again."""
        best = strip_ranges(self.layout.flow, threads)
        cycles = self.slowest(best)
        while True:
            found = [(self.slowest(ranges), ranges) for ranges in _neighbours(best)]
            if not found or min(found)[0] >= cycles:
                return best, cycles
            cycles, best = min(found)

    def slowest(self, ranges: Ranges) -> float:
        """Cycles of the longest strip."""
        return max(self._strip(begin, end) for begin, end in ranges)


def _exchanged(layout: KernelLayout, placed: tuple[Placed, ...], parts: int) -> float:
    """Cycles for reading what other parts have computed, from the cache that they share: all channels but one's own."""
    phases = {entry.unit.result: entry.phase for entry in placed}
    total = 0.0
    for entry in placed:
        source = entry.unit.stage.sources[0]
        if phases.get(source) != entry.phase:
            total += layout.chain.shape(source).elements * (parts - 1) / parts
    return total / layout.provider.lanes / L3_VECTORS_PER_CYCLE


def _neighbours(ranges: Ranges) -> Iterator[Ranges]:
    """Yield the cuts with one bound moved by a step."""
    bounds = [0, *(end for _, end in ranges)]
    for index in range(1, len(bounds) - 1):
        for by in (1, -1):
            moved = [*bounds[:index], bounds[index] + by, *bounds[index + 1 :]]
            if all(begin < end for begin, end in pairwise(moved)):
                yield tuple(pairwise(moved))
