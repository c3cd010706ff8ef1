"""Strassen's products: how pixels, columns and K are cut, what is packed, what is multiplied, what is refused."""

from dataclasses import replace
from itertools import chain as links
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import ScheduleError
from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.columns import cuts_columns
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS, provider
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.planes import Layout
from mnv2c.kernels.stages.strassen import StrassenStage
from mnv2c.kernels.strassen import Halves, StrassenPacking, paired
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import chains
from tests.kernels.test_random_chains import check
from tests.kernels.test_work import multiply_adds

AVX512 = provider("float32", "avx512")
units = pytest.mark.parametrize("unit", PROVIDERS.values(), ids=lambda unit: unit.name)


@given(st.integers(2, 400), st.integers(1, 30))
def test_pairs_cover_every_pixel_once(extent: int, size: int) -> None:
    pixels: list[int] = []
    for span in paired(extent, size):
        assert 1 <= span.size <= size and span.overlap in (0, 1)
        assert span.start == len(pixels)
        for number in range(span.count):
            first = span.start + number * span.pixels
            second = first + span.size - span.overlap
            pixels += range(first, first + span.size)
            pixels += range(second + span.overlap, second + span.size)
    assert pixels == list(range(extent))


@given(st.sampled_from([4, 8, 16]), st.integers(1, 12), st.integers(1, 5))
def test_halves_hold_every_value_of_k_once(block: int, blocks: int, slots: int) -> None:
    plane = Layout(slots, 3, block * blocks, block)
    try:
        halves = Halves.of(plane, block * blocks)
    except ScheduleError:
        assert blocks % 2 == 1 and block < 8
        return
    half = [
        number * halves.stride + offset
        for number in range(block * blocks // 2 // halves.block)
        for offset in range(halves.block)
    ]
    order = [channel // block * plane.block_stride + channel % block for channel in range(block * blocks)]
    runs = [order[start : start + halves.run] for start in range(0, len(order), halves.run)]
    assert half == list(links.from_iterable(runs[0::2]))
    assert [place + halves.second for place in half] == list(links.from_iterable(runs[1::2]))


def test_every_group_of_columns_is_packed_like_a_stage_of_its_own() -> None:
    rng = np.random.default_rng(0)
    halves = Halves.of(Layout(1, 2, 32, 16), 32)
    packing = StrassenPacking((1, 1), 32, 32, 6, (8,), (), halves=halves, groups=2)
    filters, bias = rng.standard_normal((1, 1, 32, 48), np.float32), rng.standard_normal(48).astype(np.float32)
    packed = packing.pack(filters, bias)
    assert (packing.pairs, packing.alone, packing.group_columns) == (1, ((8,),), 24)
    assert packed.size == packing.elements and np.array_equal(packed[:48], bias)
    alone = StrassenPacking((1, 1), 32, 32, 3, (8,), (), halves=halves)
    groups = [alone.pack(filters[..., at : at + 24], bias[at : at + 24])[24:] for at in (0, 24)]
    assert np.array_equal(packed[48:], np.concatenate(groups))
    assert packing.group_elements == groups[0].size


def test_what_is_packed_gives_the_product() -> None:
    rng = np.random.default_rng(0)
    halves = Halves.of(Layout(1, 2, 48, 16), 48)
    packing = StrassenPacking((1, 1), 48, 48, 3, (8,), (4,), halves=halves)
    filters, bias = rng.standard_normal((1, 1, 48, 28), np.float32), rng.standard_normal(28).astype(np.float32)
    packed = packing.pack(filters, bias)
    assert packed.size == packing.elements == 28 + 7 * 24 * 8 + 48 * 12
    assert np.array_equal(packed[:28], bias)
    assert np.array_equal(
        packed[28 + 7 * 24 * 8 :], np.hstack([filters[0, 0, :, 16:24].ravel(), filters[0, 0, :, 24:].ravel()])
    )
    pixels = rng.standard_normal((2, 48)).astype(np.float32)
    split = pixels.reshape(2, 3, 2, 8).transpose(0, 2, 1, 3).reshape(2, 2, 24)
    (a11, a12), (a21, a22) = split
    s1 = a21 + a22
    s2, s3 = s1 - a11, a11 - a21
    left = (a11, a12, s2, s3, a22, s1, a12 - s2)
    right = packed[28 : 28 + 7 * 24 * 8].reshape(7, 24, 8)
    m = [a @ b for a, b in zip(left, right, strict=True)]
    u2 = m[0] + m[2]
    u3, u4 = u2 + m[3], u2 + m[5]
    found = np.block([[m[0] + m[1], u4 + m[6]], [u3 + m[4], u3 + u4 - u2]])
    assert np.allclose(found, pixels @ filters[0, 0, :, :16], atol=1e-5)


def bottleneck(unit_lanes: int, in_place: bool = False, vectors: int = 8) -> Chain:
    """Expand to 8 vectors, project to 4, with a shortcut."""
    build = chains.Builder(Shape(6, 8, 4 * unit_lanes))
    build.add("expand", StageKind.EXPAND, "input_0", vectors * unit_lanes, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    build.add("project", StageKind.PROJECT, "depthwise", 4 * unit_lanes)
    return replace(
        build.chain("bottleneck", build.add("add", StageKind.ADD, "project", second="input_0")), in_place=in_place
    )


TILE = Tile(4, 1, 4, strassen=True)


@units
@pytest.mark.parametrize(
    "rows, chunk, in_place",
    [*((rows, 0, in_place) for rows in (0, 1, 2, 3) for in_place in (False, True)), (0, 2, False), (0, 4, False)],
)
def test_a_bottleneck_computes_what_the_reference_does(
    unit: Provider, rows: int, chunk: int, in_place: bool, tmp_path: Path
) -> None:
    """By pixels, and with prefetching, which walks the whole image by columns."""
    chain, cases = bottleneck(unit.lanes, in_place), []
    inputs, weights = chains.tensors(chain, 0)
    for prefetch in (False, True):
        schedule = ChainSchedule(rows, chunk * unit.lanes, (TILE, TILE), (DepthwiseTile(4, 2),), prefetch)
        cases.append(chains.Case(f"prefetch {prefetch}", chain, schedule, unit, inputs, weights))
    check(cases, tmp_path)


@units
@pytest.mark.parametrize("carry", [0, 3, 9])
def test_an_odd_number_of_column_tiles_leaves_one_alone_in_every_chunk(
    unit: Provider, carry: int, tmp_path: Path
) -> None:
    """Nine vectors in flight by three: a pair and one tile without a partner, with all of K."""
    chain, cases = bottleneck(unit.lanes, vectors=9), []
    inputs, weights = chains.tensors(chain, 0)
    row = DepthwiseTile(4, 2, carry * unit.lanes)
    tiles = TILE, replace(TILE, strassen=unit.lanes > 4)  # an odd number of vectors of four has no halves
    for prefetch in (False, True):
        chunk = 0 if carry else 3 * unit.lanes
        schedule = ChainSchedule(1 if carry else 0, chunk, tiles, (row,), prefetch)
        cases.append(chains.Case(f"prefetch {prefetch}", chain, schedule, unit, inputs, weights))
    check(cases, tmp_path)


@units
@pytest.mark.parametrize("chunk", [0, 4])
def test_the_code_multiplies_seven_times_where_it_did_eight_times(
    unit: Provider, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = bottleneck(unit.lanes)
    schedule = ChainSchedule(0, chunk * unit.lanes, (TILE, TILE), (DepthwiseTile(4, 2),), False)
    depthwise = 9 * chain.stage("depthwise").shape.elements
    matrices = chain.madds - depthwise
    assert multiply_adds(kernel_layout(chain, schedule, unit), monkeypatch) == depthwise + matrices * 7 // 8


def larger(unit_lanes: int, rows: int) -> Chain:
    """More pixels than are written out, and margins between the stages: a 3x3 window between 1x1 convolutions."""
    build = chains.Builder(Shape(rows, 10, 4 * unit_lanes))
    build.add("expand", StageKind.EXPAND, "input_0", 8 * unit_lanes, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    return build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 4 * unit_lanes))


@units
@pytest.mark.parametrize("rows", [8, 9])
def test_rows_that_no_tile_may_leave_pair_with_each_other(unit: Provider, rows: int, tmp_path: Path) -> None:
    """The last of an odd number of rows pairs with itself."""
    chain, cases = larger(unit.lanes, rows), []
    inputs, weights = chains.tensors(chain, 0)
    for prefetch in (False, True):
        for step in (0, rows):
            schedule = ChainSchedule(step, 0, (TILE, TILE), (DepthwiseTile(4, 2),), prefetch)
            cases.append(chains.Case(f"prefetch {prefetch}, rows {step}", chain, schedule, unit, inputs, weights))
    check(cases, tmp_path)


@pytest.mark.parametrize("pixels", [4, 6, 9])
@pytest.mark.parametrize("rows, columns", [(6, 8), (8, 10), (9, 10), (12, 12), (5, 7)])
def test_every_pair_fetches_its_share_of_the_next_column_tiles(
    rows: int, columns: int, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many shares as there are pairs of pixel tiles: with more of them some weights would not be fetched."""
    build = chains.Builder(Shape(rows, columns, 64))
    build.add("expand", StageKind.EXPAND, "input_0", 128, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    chain = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", 64))
    tile = Tile(pixels, 1, 4, strassen=True)
    layout = kernel_layout(chain, ChainSchedule(0, 0, (tile, tile), (DepthwiseTile(4, 2),), True), AVX512)
    seen: dict[str, list[tuple[int, int]]] = {}

    def watched(stage: StrassenStage, *rest: Any) -> None:
        shares = seen.setdefault(stage.at.stage.name, [])
        shares.append((rest[-1].parts, stage.at.k.times // stage.packing.pairs))

    monkeypatch.setattr(StrassenStage, "_multiply_pair", watched)
    emit_chain(layout, "kernel")
    for shares in seen.values():
        assert {parts for parts, _ in shares} == {sum(times for _, times in shares)}
    assert len(seen) == 2


@units
def test_a_pooled_stage_counts_every_row_of_a_plane_with_margins(unit: Provider, tmp_path: Path) -> None:
    """Another reader wants margins in the ring that the pooled stage reads; nine rows, 81 pixels."""
    build = chains.Builder(Shape(9, 9, 2 * unit.lanes))
    build.add("expand", StageKind.EXPAND, "input_0", 4 * unit.lanes, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, Window((3, 3), padding=((1, 1), (1, 1))), RELU6)
    build.add("pointwise", StageKind.POINTWISE, "expand", 4 * unit.lanes, None, RELU6)
    build.add("pool", StageKind.POOL, "pointwise")
    chain = replace(build.chain("head", "pool"), outputs=("depthwise", "pool"))
    schedule = ChainSchedule(0, 0, (Tile(4, 1, 4), TILE), (DepthwiseTile(4, 2),), False)
    assert not kernel_layout(chain, schedule, unit).rings["expand"].width == 9
    inputs, weights = chains.tensors(chain, 0)
    check([chains.Case("case", chain, schedule, unit, inputs, weights)], tmp_path)


def head(pixels: int, channels: int, outputs: int) -> Chain:
    """A pooled pointwise stage."""
    build = chains.Builder(Shape(pixels, pixels, channels))
    build.add("pointwise", StageKind.POINTWISE, "input_0", outputs, None, RELU6)
    return build.chain("head", build.add("pool", StageKind.POOL, "pointwise"))


@units
@pytest.mark.parametrize("pixels, outputs", [(5, 68), (7, 64), (2, 32)])
def test_a_pooled_stage_counts_every_pixel_once(unit: Provider, pixels: int, outputs: int, tmp_path: Path) -> None:
    chain = head(pixels, 24, outputs)
    schedule = ChainSchedule(0, 0, (replace(TILE, pixels=6),), (), False)
    inputs, weights = chains.tensors(chain, 0)
    check([chains.Case("case", chain, schedule, unit, inputs, weights)], tmp_path)


def layout_of(chain: Chain, *tiles: Tile, chunk: int = 0, carry: int = 0, prefetch: bool = False) -> KernelLayout:
    depthwise = tuple(DepthwiseTile(4, 2, carry) for stage in chain.stages if stage.kind is StageKind.DEPTHWISE)
    schedule = ChainSchedule(1 if carry else 0, chunk, tiles, depthwise, prefetch)
    return kernel_layout(chain, schedule, provider("float32", "avx2"))


@pytest.mark.parametrize("prefetch, pairs", [(False, 1), (True, 6)])
def test_scratch_memory_holds_sums_of_pixels_and_what_is_kept(prefetch: bool, pairs: int) -> None:
    """The sums of one pair, or of all pairs of a 6x8 image, with half of K = 64."""
    chain = bottleneck(8)
    plain, added = (layout_of(chain, tile, tile, prefetch=prefetch) for tile in (Tile(4, 1, 4), TILE))
    assert added.scratch_elements - plain.scratch_elements == 4 * (4 * 32 * pairs + 3 * 8)
    assert not cuts_columns(added) and cuts_columns(plain)


@pytest.mark.parametrize(
    "chain, chunk, carry, message",
    [
        (head(1, 24, 64), 0, 0, "no 1x1 convolution of several pixels"),
        (head(5, 24, 8), 0, 0, "fill no pair"),
        (head(5, 12, 64), 0, 0, "no halves"),
        (bottleneck(8), 8, 0, "fill no pair"),
        (bottleneck(8), 0, 8, "fill no pair"),
    ],
)
def test_what_cannot_be_halved_is_refused(chain: Chain, chunk: int, carry: int, message: str) -> None:
    tiles = [TILE] * (2 if len(chain.stages) > 2 else 1)
    with pytest.raises(ScheduleError, match=message):
        layout_of(chain, *tiles, chunk=chunk, carry=carry)


def test_random_schedules_turn_it_on() -> None:
    drawn = [chains.case(seed, "bottleneck", provider("float32", "neon")) for seed in range(20)]
    assert any(tile.strassen for case in drawn for tile in case.schedule.tiles)
