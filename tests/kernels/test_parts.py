"""Kernels cut into parts: the same bits as the whole, in whatever order the parts run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.columns import cuts_columns, overwrites_late, phases
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Shape, StageKind, Window, input_name
from mnv2c.plan.parts import Cut, Parts, strip_ranges
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains, native

CASES = 1
"""Per family and provider in one run."""


class PartsCall(native.Call):
    """Runs a kernel part by part, one after the other in a drawn order; every strip finds scratch full of NaN."""

    def __init__(self, case: chains.Case, parts: Parts, random: Random) -> None:
        super().__init__(case)
        self.parts = parts
        self.orders = [random.sample(range(parts.count), parts.count) for _ in range(parts.phases)]

    def run(self, kernel: Any, *more: int) -> int:
        kernel.argtypes = [native.ctypes.c_void_p] * len(self.buffers) + [native.ctypes.c_int32] * 2
        for phase, order in enumerate(self.orders):
            for part in order:
                for ring in self.rings if self.parts.cut is Cut.STRIPS else ():
                    ring.values[:] = np.nan
                numbers = self.parts.ranges[part] if self.parts.cut is Cut.STRIPS else (phase, part)
                if kernel(*(buffer.address for buffer in self.buffers), *numbers) != 0:
                    return 1
        return 0


def schedules(case: chains.Case) -> Iterator[ChainSchedule]:
    """The case's schedule without chunks, in steps of rows, and both with usual products."""
    plain = tuple(replace(tile, strassen=False, summed=False) for tile in case.schedule.tiles)
    for tiles in (case.schedule.tiles, plain):
        for rows in (case.schedule.rows, case.schedule.rows or 1):
            yield replace(case.schedule, rows=rows, chunk=0, tiles=tiles)


def may_be_cut(case: chains.Case, schedule: ChainSchedule) -> bool:
    if not chains.is_legal(case.chain, schedule, case.provider):
        return False
    return schedule.rows > 0 or cuts_columns(native.kernel_layout(case.chain, schedule, case.provider))


def cut_case(seed: int, family: str, provider: Provider) -> tuple[chains.Case, PartsCall]:
    """A case whose schedule can be cut, and the same in parts."""
    case = chains.case(seed, family, provider)
    random = Random(f"parts {family} {seed}")
    count = random.randint(2, 4)
    case = replace(case, schedule=next(schedule for schedule in schedules(case) if may_be_cut(case, schedule)))
    if case.schedule.rows:
        case = replace(case, chain=replace(case.chain, in_place=False))
        layout = native.kernel_layout(case.chain, case.schedule, provider)
        ranges = strip_ranges(layout.flow, count)
        return case, PartsCall(case, Parts(Cut.STRIPS, len(ranges), ranges=ranges), random)
    layout, last = native.kernel_layout(case.chain, case.schedule, provider), case.chain.stages[-1]
    shortcut = last.kind is StageKind.ADD and input_name(0) in last.sources and case.chain.inputs[0] == last.shape
    case = replace(case, chain=replace(case.chain, in_place=shortcut and overwrites_late(layout)))
    return case, PartsCall(case, Parts(Cut.COLUMNS, count, phases(layout)), random)


def check(cases: list[tuple[chains.Case, PartsCall]], folder: Path) -> None:
    """Run every case whole and in parts and compare the bits."""
    calls: list[native.Call] = []
    functions: dict[str, Any] = {}
    for case, cut in cases:
        name = f"kernel_{len(calls)}"
        functions[name] = emit_chain(cut.layout, name, cut.parts)
        functions |= native.emit(cut.layout, len(calls) + 1)
        calls += [cut, native.Call(case)]
    native.execute(native.load(functions, folder), calls)
    for cut, whole in zip(calls[::2], calls[1::2], strict=True):
        assert isinstance(cut, PartsCall)
        for name, found, wanted in zip(cut.layout.chain.outputs, cut.outputs(), whole.outputs(), strict=True):
            assert found.tobytes() == wanted.tobytes(), f"{name} differs in {cut.parts}: {cut.case}"
        assert all(buffer.intact for buffer in cut.buffers), f"written beside a buffer, {cut.parts}: {cut.case}"
    assert not any(np.isnan(output).any() for call in calls for output in call.outputs())


def cases(family: str, start: int, count: int) -> list[tuple[chains.Case, PartsCall]]:
    """So many cases per provider, none of them like another's."""
    found = []
    for index, provider in enumerate(PROVIDERS.values()):
        first = start + index * count
        found += [cut_case(seed, family, provider) for seed in range(first, first + count)]
    return found


@pytest.mark.parametrize("family", chains.FAMILIES)
def test_parts_compute_the_bits_of_the_whole(family: str, tmp_path: Path) -> None:
    check(cases(family, 0, CASES), tmp_path)


@pytest.mark.parametrize("above", [1, 2, 3])
def test_a_side_output_that_runs_behind_loses_no_row(above: int, tmp_path: Path) -> None:
    """With more padding above, a strip's windows end before the rows at which the next one's begin."""
    build, unit = chains.Builder(Shape(9, 3, 8)), PROVIDERS["float32", "avx2"]
    build.add("expand", StageKind.EXPAND, "input_0", 16)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), (2, 2), padding=((above, 3), (1, 1))))
    chain = build.chain("sides", build.add("project", StageKind.PROJECT, "depthwise", 8), "expand")
    schedule = ChainSchedule(1, 0, (Tile(3, 1, 4),) * 2, (DepthwiseTile(3, 1),), False)
    case = chains.Case(f"{above} above", chain, schedule, unit, *chains.tensors(chain, 0))
    ranges = strip_ranges(native.kernel_layout(chain, schedule, unit).flow, 3)
    check([(case, PartsCall(case, Parts(Cut.STRIPS, 3, ranges=ranges), Random(0)))], tmp_path)


@pytest.mark.parametrize("channels", [8, 16, 20])
def test_the_part_that_makes_a_vector_of_channels_makes_its_margins(channels: int, tmp_path: Path) -> None:
    """A window reads both in the same phase, whatever other parts have done."""
    build, unit = chains.Builder(Shape(3, 4, 8)), PROVIDERS["float32", "avx2"]
    build.add("expand", StageKind.EXPAND, "input_0", channels)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))))
    chain = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 8))
    schedule = ChainSchedule(0, 0, (Tile(3, 1, 4),) * 2, (DepthwiseTile(3, 1),), False)
    case = chains.Case(f"{channels}", chain, schedule, unit, *chains.tensors(chain, 0))
    parts = Parts(Cut.COLUMNS, 4, phases(native.kernel_layout(chain, schedule, unit)))
    calls = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]):
        call = PartsCall(case, parts, Random(0))
        call.orders = [order] * parts.phases
        for ring in call.rings:
            ring.values[:] = np.nan
        calls.append((case, call))
    check(calls, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", chains.FAMILIES)
@pytest.mark.parametrize("start", range(1000, 2000, 100))
def test_many_parts_compute_the_bits_of_the_whole(family: str, start: int, tmp_path: Path) -> None:
    check(cases(family, start, 20), tmp_path)


def test_the_default_cases_draw_every_cut() -> None:
    calls = [call for family in chains.FAMILIES for _, call in cases(family, 0, CASES)]
    strips = [call for call in calls if call.parts.cut is Cut.STRIPS and call.parts.count > 1]
    counts = {
        "strips": len(strips),
        "carried sums": sum(any(tile.carry for tile in call.case.schedule.depthwise) for call in strips),
        "products of sums": sum(any(tile.summed for tile in call.case.schedule.tiles) for call in strips),
        "side outputs": sum(len(call.case.chain.outputs) > 1 for call in strips),
        "several rows per step": sum(call.case.schedule.rows > 1 for call in strips),
        **{f"{count} phases": sum(call.parts.phases == count for call in calls) for count in (1, 2, 3)},
        "columns in place": sum(call.case.chain.in_place for call in calls),
    }
    assert min(counts.values()) >= 1, counts
