"""Products of sums: how K is cut, what is packed, what is multiplied and added, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import ScheduleError
from mnv2c.kernels.columns import cuts_columns
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS, provider
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.summed import SummedPacking, Thirds
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains, native
from tests.kernels.test_random_chains import check
from tests.kernels.test_strassen import head
from tests.kernels.test_work import multiply_adds

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


@given(st.sampled_from([1, 4, 8, 12, 16, 24, 100]), st.integers(1, 30), st.sampled_from([4, 8, 16]))
def test_thirds_hold_every_value_of_k_once(block: int, blocks: int, most: int) -> None:
    depth = block * blocks
    try:
        thirds = Thirds.of(depth, block, most)
    except ScheduleError:
        assert block % 4 or depth < 12
        return
    assert thirds.run % thirds.lanes == block % thirds.lanes == 0 and thirds.lanes <= most
    assert sorted(thirds.order(depth)) == list(range(depth))
    groups = thirds.order(depth)[: 3 * thirds.run].reshape(-1, 3)
    assert np.all(np.diff(groups) == thirds.run)
    assert depth - 3 * thirds.run < 3 * thirds.lanes


@pytest.mark.parametrize("depth, thirds", [(160, (48, 16)), (960, (320, 16)), (24, (8, 8)), (64, (20, 4))])
def test_long_vectors_are_taken_where_they_leave_little_of_k(depth: int, thirds: tuple[int, int]) -> None:
    found = Thirds.of(depth, depth, 16)
    assert (found.run, found.lanes) == thirds


def test_what_is_packed_gives_the_product() -> None:
    """Channels of very different sizes, one of which is zero."""
    rng = np.random.default_rng(0)
    packing = SummedPacking((1, 1), 40, 40, 1, (8,), (4,), thirds=Thirds(12, 4))
    filters, bias = rng.standard_normal((1, 1, 40, 12), np.float32), rng.standard_normal(12).astype(np.float32)
    filters *= np.float32(10.0) ** np.arange(-6, 6, dtype=np.float32)
    filters[..., 3] = 0
    packed = packing.pack(filters, bias)
    assert packed.size == packing.elements == 43 * 12
    pixels = rng.standard_normal((2, 40)).astype(np.float32)[:, packing.thirds.order(40)]
    found = []
    for width, tile in zip((8, 4), np.split(packed, [43 * 8]), strict=True):
        kept, start, factor, *rows = tile.reshape(43, width)
        assert np.array_equal(factor, np.exp2(np.round(np.log2(factor))))
        groups, rest = np.reshape(rows[:36], (12, 3, width)), np.array(rows[36:])
        a, left = pixels[:, :36].reshape(2, 12, 3, 1), pixels[:, 36:]
        sums = np.sum((a[:, :, 0] + groups[:, 1]) * (a[:, :, 1] + groups[:, 0]), axis=1) + start
        sums += np.sum(a[:, :, 2] * groups[:, 2] - a[:, :, 0] * a[:, :, 1], axis=1) + left @ rest
        found.append(sums * factor + kept)
    order = packing.thirds.order(40)
    wanted = pixels @ filters[0, 0][order] + bias
    assert np.allclose(np.hstack(found), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max(axis=0))


@units
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e4, 1e12])
def test_sizes_of_pixels_do_not_matter(unit: Provider, scale: float, tmp_path: Path) -> None:
    chain = bottleneck(unit.lanes)
    inputs, weights = chains.tensors(chain, 0)
    taps, bias = weights["project"]
    weights |= {"expand": (weights["expand"][0] / np.float32(scale), weights["expand"][1])}
    weights |= {"project": (taps * np.float32(scale), bias * np.float32(scale))}
    schedule = ChainSchedule(1, 0, (TILE, TILE), (DepthwiseTile(4, 2),), False)
    scaled = [value * np.float32(scale) for value in inputs]
    check([chains.Case(f"times {scale}", chain, schedule, unit, scaled, weights)], tmp_path)


@units
def test_the_bits_of_a_pixel_do_not_depend_on_those_beside_it(unit: Provider, tmp_path: Path) -> None:
    """Strips of several threads begin elsewhere, and so do their register tiles."""
    chain = bottleneck(unit.lanes)
    inputs, weights = chains.tensors(chain, 0)
    inputs[0][:, ::3] *= np.float32(100)
    tiles = (TILE, replace(TILE, pixels=3), replace(TILE, pixels=1))
    rows = (DepthwiseTile(4, 2),)
    schedules = [ChainSchedule(steps, 0, (tile, tile), rows, False) for steps in (0, 1) for tile in tiles]
    calls = [native.Call(chains.Case("", chain, schedule, unit, inputs, weights)) for schedule in schedules]
    native.run(calls, tmp_path)
    assert len({output.tobytes() for call in calls for output in call.outputs()}) == 1


@units
def test_pixels_that_are_all_zero_give_the_bias(unit: Provider, tmp_path: Path) -> None:
    chain = bottleneck(unit.lanes)
    inputs, weights = chains.tensors(chain, 0)
    schedule = ChainSchedule(1, 0, (TILE, TILE), (DepthwiseTile(4, 2),), False)
    check([chains.Case("zero", chain, schedule, unit, [0 * value for value in inputs], weights)], tmp_path)


@pytest.mark.parametrize("chunk", [0, 4])
def test_the_code_multiplies_twice_where_it_did_three_times(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the last fifth of K = 80, of which 60 are thirds, and for what pixels are divided by."""
    unit = provider("float32", "avx512")
    chain = bottleneck(unit.lanes)
    plain, summed = (
        multiply_adds(
            kernel_layout(chain, ChainSchedule(0, chunk * 16, (tile, tile), (DepthwiseTile(4, 2),), False), unit),
            monkeypatch,
        )
        for tile in (replace(TILE, summed=False), TILE)
    )
    assert plain == chain.madds
    expand, project = (stage.shape for stage in (chain.stage("expand"), chain.stage("project")))
    saved = expand.elements * 24 + project.elements * 40  # thirds of 24 of 80 values, by vectors of 8, and 40 of 128
    chunks = 2 if chunk else 1  # what only the first chunk does is counted as if each did
    made = expand.pixels * (80 + 24) * chunks + project.pixels * (128 + 40)
    assert summed == plain - saved + made + expand.elements + project.elements * chunks


@pytest.mark.parametrize("prefetch, tiles", [(False, 1), (True, 12)])
def test_scratch_memory_holds_divided_pixels(prefetch: bool, tiles: int) -> None:
    """Those of one tile of four, or of a 6x8 image, with K = 64 of the projection, which is more than 40."""
    chain, unit = bottleneck(8), provider("float32", "avx2")
    layouts = [
        kernel_layout(chain, ChainSchedule(0, 0, (tile, tile), (DepthwiseTile(4, 2),), prefetch), unit)
        for tile in (replace(TILE, summed=False), TILE)
    ]
    assert layouts[1].scratch_elements - layouts[0].scratch_elements == tiles * 4 * (64 + 2)
    assert cuts_columns(layouts[0]) and not cuts_columns(layouts[1])


@units
@pytest.mark.parametrize("pixels, outputs", [(5, 68), (7, 64), (2, 32)])
def test_a_pooled_stage_counts_every_pixel_once(unit: Provider, pixels: int, outputs: int, tmp_path: Path) -> None:
    chain = head(pixels, 24, outputs)
    schedule = ChainSchedule(0, 0, (replace(TILE, pixels=6),), (), False)
    inputs, weights = chains.tensors(chain, 0)
    check([chains.Case("case", chain, schedule, unit, inputs, weights)], tmp_path)


@pytest.mark.parametrize(
    "chain, tile, message",
    [
        (head(1, 24, 64), TILE, "no 1x1 convolution of several pixels"),
        (head(5, 8, 64), TILE, "no thirds"),
        (head(5, 14, 64), TILE, "no thirds"),
        (head(5, 24, 64), replace(TILE, strassen=True), "either Strassen's products or products of sums"),
    ],
)
def test_what_has_no_thirds_is_refused(chain: Chain, tile: Tile, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        kernel_layout(chain, ChainSchedule(0, 0, (tile,), (), False), provider("float32", "avx2"))


def test_random_schedules_turn_it_on() -> None:
    drawn = [chains.case(seed, "bottleneck", provider("float32", "neon")) for seed in range(20)]
    assert any(tile.summed for case in drawn for tile in case.schedule.tiles)
