"""Products of sums: how K is cut, what is packed, what is multiplied and added, what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains
from tests.kernels.test_random_chains import check

units = pytest.mark.parametrize("unit", PROVIDERS.values(), ids=lambda unit: unit.name)
TILE = Tile(4, 1, 8, summed=True)


def bottleneck(unit_lanes: int, in_place: bool = False, vectors: int = 8, channels: int = 5) -> Chain:
    """Expand from 5 vectors, of which 3 are thirds, to 8, project back, with a shortcut."""
    build = chains.Builder(Shape(6, 8, channels * unit_lanes))
    build.add("expand", StageKind.EXPAND, "input_0", vectors * unit_lanes, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    build.add("project", StageKind.PROJECT, "depthwise", channels * unit_lanes)
    chain = build.chain("bottleneck", build.add("add", StageKind.ADD, "project", second="input_0"))
    return replace(chain, in_place=in_place)


@units
@pytest.mark.parametrize(
    "rows, chunk, in_place",
    [*((rows, 0, in_place) for rows in (0, 1, 2, 3) for in_place in (False, True)), (0, 4, False)],
)
def test_a_bottleneck_computes_what_the_reference_does(
    unit: Provider, rows: int, chunk: int, in_place: bool, tmp_path: Path
) -> None:
    """By pixels, and with prefetching by columns."""
    chain, cases = bottleneck(unit.lanes, in_place), []
    inputs, weights = chains.tensors(chain, 0)
    for prefetch in (False, True):
        schedule = ChainSchedule(rows, chunk * unit.lanes, (TILE, TILE), (DepthwiseTile(4, 2),), prefetch)
        cases.append(chains.Case(f"prefetch {prefetch}", chain, schedule, unit, inputs, weights))
    check(cases, tmp_path)


@units
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_chunks_of_channels_share_what_the_first_one_divided(
    unit: Provider, again: bool, stride: int, tmp_path: Path
) -> None:
    """A carried depthwise stage: with a stride two rows are made in a pass, one by one; again makes three."""
    build = chains.Builder(Shape(9, 10, 3 * unit.lanes))
    build.add("expand", StageKind.EXPAND, "input_0", 6 * unit.lanes, None, RELU6)
    window = Window((3, 3), (stride, stride), padding=((1, 1), (1, 1)))
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, window, RELU6)
    chain, cases = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 3 * unit.lanes)), []
    inputs, weights = chains.tensors(chain, 0)
    for carry in (1, 3):
        row = DepthwiseTile(4, 2, carry * unit.lanes, again)
        schedule = ChainSchedule(1, 0, (TILE, TILE), (row,), False)
        cases.append(chains.Case(f"carry {carry}", chain, schedule, unit, inputs, weights))
    check(cases, tmp_path)
