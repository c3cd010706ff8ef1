"""Channels that only fill a vector: they neither spoil a result nor are written over another's pixels."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from mnv2c.kernels.columns import phases
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Chain, Shape, StageKind, Window
from mnv2c.plan.parts import Cut, Parts
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains, native
from tests.kernels.test_parts import PartsCall
from tests.kernels.test_parts import check as check_parts
from tests.kernels.test_random_chains import check

CHANNELS = (1, 3, 5, 18, 33)
STRIDED = Window((1, 1), (2, 2))
INSIDE = Window((2, 3), (1, 2))
SAME = Window((3, 3), padding=((1, 1), (1, 1)))

providers = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


def case(chain: Chain, provider: Provider, rows: int = 0) -> chains.Case:
    depthwise = sum(stage.kind is StageKind.DEPTHWISE for stage in chain.stages)
    matrices = sum(stage.kind in (StageKind.EXPAND, StageKind.PROJECT, StageKind.DENSE) for stage in chain.stages)
    schedule = ChainSchedule(rows, 0, (Tile(2, 1, 4),) * matrices, (DepthwiseTile(2, 1),) * depthwise, False)
    return chains.Case(f"{chain.kind}, {chain.inputs}", chain, schedule, provider, *chains.tensors(chain, 0))


def first_depthwise(channels: int, window: Window, second: bool) -> Chain:
    """A window that reads the caller's pixels where they lie, and what reads its result by vectors or by values."""
    image = Shape(*((1, 1) if window is STRIDED else (4, 5)), channels)
    build = chains.Builder(image)
    last = build.add("first", StageKind.DEPTHWISE, "input_0", 0, window)
    if second:
        last = build.add("second", StageKind.DEPTHWISE, last, 0, SAME)
    return build.chain("depthwise", build.add("project", StageKind.PROJECT, last, 9))


@providers
@pytest.mark.parametrize("rows", [0, 1])
def test_a_window_without_a_margin_reads_no_pixel_but_its_own(provider: Provider, rows: int, tmp_path: Path) -> None:
    drawn = [(n, window, second) for n in CHANNELS for window in (STRIDED, INSIDE) for second in (False, True)]
    check([case(first_depthwise(*which), provider, rows) for which in drawn], tmp_path)


@providers
def test_a_mean_of_channels_that_fill_no_vector(provider: Provider, tmp_path: Path) -> None:
    cases = []
    for channels in CHANNELS:
        build = chains.Builder(Shape(3, 4, channels))
        build.add("depthwise", StageKind.DEPTHWISE, "input_0", 0, SAME)
        build.add("pool", StageKind.POOL, "depthwise", 0)
        cases.append(case(build.chain("pooled", build.add("dense", StageKind.DENSE, "pool", 7)), provider))
    check(cases, tmp_path)


@providers
@pytest.mark.parametrize("count", range(2, 9))
def test_the_part_that_makes_a_vector_makes_what_follows_of_it(provider: Provider, count: int, tmp_path: Path) -> None:
    """A window's result for the caller ends within a vector; the one it reads is filled up, by any of the parts."""
    found = []
    for channels in (5, 18, 33, 35):
        for sides in ((), ("expand",), ("depthwise",)):
            build = chains.Builder(Shape(3, 4, 3))
            build.add("expand", StageKind.EXPAND, "input_0", channels)
            last = build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, SAME)
            if sides == ("depthwise",):
                last = build.add("second", StageKind.DEPTHWISE, last, 0, SAME)
            whole = case(build.chain("line", last, *sides), provider)
            layout = native.kernel_layout(whole.chain, whole.schedule, provider)
            call = PartsCall(whole, Parts(Cut.COLUMNS, count, phases(layout)), Random(count))
            found.append((whole, call))
    check_parts(found, tmp_path)
