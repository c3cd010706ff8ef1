"""Schedules that do not fit their chain are refused before anything is emitted."""

from dataclasses import replace

import pytest

from mnv2c.errors import CompilerError, ScheduleError
from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.microkernels.neon64 import NEON_FLOAT32
from mnv2c.kernels.microkernels.x86 import AVX512_FLOAT32, AVX512_TWO_FLOAT32
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.units import units
from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.rows import flow
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels.chains import Builder

AVX2 = provider("float32", "avx2")
SAME = Window((3, 3), padding=((1, 1), (1, 1)))

TILE = Tile(4, 2, 4)


def bottleneck(*outputs: str, shortcut: bool = False, padding: Window = SAME) -> Chain:
    build = Builder(Shape(8, 8, 16))
    build.add("expand", StageKind.EXPAND, "input_0", 48, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, padding, RELU6)
    last = build.add("project", StageKind.PROJECT, "depthwise", 16)
    if shortcut:
        last = build.add("add", StageKind.ADD, "project", second="input_0")
    return build.chain("bottleneck", last, *outputs)


def schedule(rows: int = 0, chunk: int = 0, tile: Tile = TILE, tiles: int = 2, depthwise: int = 1) -> ChainSchedule:
    return ChainSchedule(rows, chunk, (tile,) * tiles, (DepthwiseTile(4, 2),) * depthwise, False)


@pytest.mark.parametrize(
    ("chain", "chosen", "message"),
    [
        (bottleneck(), schedule(rows=3), "3 rows per step do not divide the 8 rows of project"),
        (bottleneck(), schedule(tile=Tile(9, 3, 4)), "tile 9 x 3 of expand exceeds avx2's registers"),
        (bottleneck(), schedule(tiles=1), "no tile for stage project"),
        (bottleneck(), schedule(tiles=3), "1 more tiles than the chain has matrix stages"),
        (bottleneck(), schedule(chunk=32), "a chunk of 32 does not divide 48 channels"),
        (bottleneck(), schedule(chunk=12), "a chunk of 12"),
        (bottleneck(), schedule(chunk=24), "a chunk of 24 channels is no multiple of expand's 16 columns"),
        (bottleneck(), schedule(rows=2, chunk=16), "a chunk needs"),
        (bottleneck("expand"), schedule(chunk=16), "a chunk needs"),
        (replace(bottleneck(shortcut=True), in_place=True), schedule(chunk=16), "a chunk needs"),
    ],
)
def test_what_does_not_fit_is_refused(chain: Chain, chosen: ChainSchedule, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        kernel_layout(chain, chosen, AVX2)


def test_short_sums_begin_with_the_bias_where_that_saves_an_addition() -> None:
    def begun(unit: Provider, channels: int) -> dict[str, bool]:
        build = Builder(Shape(8, 8, channels))
        build.add("expand", StageKind.EXPAND, "input_0", 48, None, RELU6)
        chain = build.chain("bottleneck", build.add("project", StageKind.PROJECT, "expand", 16))
        packings = kernel_layout(chain, schedule(tile=Tile(4, 1, 4), depthwise=0), unit).packings
        return {name: packing.bias_first for name, packing in packings.items() if isinstance(packing, MatrixPacking)}

    assert begun(AVX512_TWO_FLOAT32, 32) == {"expand": True, "project": False}
    assert begun(AVX512_TWO_FLOAT32, 48) == {"expand": False, "project": False}
    assert begun(AVX512_FLOAT32, 32) == {"expand": False, "project": False}
    assert begun(NEON_FLOAT32, 48) == {"expand": True, "project": False}


def test_a_pooled_chain_takes_the_image_at_once() -> None:
    build = Builder(Shape(7, 7, 16))
    build.add("pointwise", StageKind.POINTWISE, "input_0", 24, None, RELU6)
    chain = build.chain("head", build.add("pool", StageKind.POOL, "pointwise"))
    with pytest.raises(ScheduleError, match="computes the whole image in one step"):
        kernel_layout(chain, schedule(rows=1, tiles=1, depthwise=0), AVX2)


def test_readers_at_different_rates_are_refused() -> None:
    build = Builder(Shape(8, 8, 16))
    build.add("expand", StageKind.EXPAND, "input_0", 16)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, replace(SAME, stride=(2, 2)))
    build.add("project", StageKind.PROJECT, "expand", 8)
    chain = build.chain("rates", "project", "depthwise")
    with pytest.raises(ScheduleError, match="different numbers of its rows per step"):
        kernel_layout(chain, schedule(rows=1), AVX2)
    kernel_layout(chain, schedule(), AVX2)


def test_a_stage_without_a_kernel_is_named() -> None:
    """A sum that no matrix stage could take up."""
    shape = Shape(4, 4, 8)
    stage = Stage("sum", StageKind.ADD, ("input_0", "input_1"), shape)
    chain = Chain("x", (shape, shape), (stage,), ("sum",))
    with pytest.raises(CompilerError, match=r"no kernel for stage kind add \(sum\)"):
        emit_chain(kernel_layout(chain, schedule(tiles=0, depthwise=0), AVX2), "x")


def test_an_add_folds_into_the_latest_matrix_stage() -> None:
    """The shortcut may come from a matrix stage too, which must stay as it is."""
    build = Builder(Shape(8, 8, 16))
    build.add("first", StageKind.POINTWISE, "input_0", 16)
    build.add("second", StageKind.POINTWISE, "first", 16)
    chain = build.chain("sum", build.add("add", StageKind.ADD, "first", second="second"))
    assert [(unit.result, unit.residual) for unit in units(chain)] == [("first", None), ("add", "first")]


def test_rings_keep_the_rows_that_windows_see_and_no_more() -> None:
    for rows, slots in ((1, 3), (2, 4), (4, 6)):
        found = kernel_layout(bottleneck(), schedule(rows=rows), AVX2)
        assert found.rings["expand"].slots == slots
        assert (found.rings["expand"].width, found.rings["depthwise"].slots) == (10, rows)
    whole = kernel_layout(bottleneck(), schedule(chunk=16), AVX2)
    assert (whole.rings["expand"].slots, whole.rings["expand"].channels, whole.chunks) == (10, 16, 3)
    assert whole.scratch_elements == 10 * 10 * 16 + 8 * 8 * 16


def test_a_windowed_input_is_loaded_once() -> None:
    build = Builder(Shape(8, 8, 3))
    build.add("stem", StageKind.STEM, "input_0", 8, SAME)
    build.add("other", StageKind.CONV, "input_0", 8, SAME)
    chain = with_loads(Chain("two", build.inputs, tuple(build.stages), ("other", "stem")))
    assert [stage.kind for stage in chain.stages] == [StageKind.LOAD, StageKind.STEM, StageKind.CONV]
    assert with_loads(chain) == chain


def test_a_resize_reads_a_whole_tensor() -> None:
    """Not the ring of another stage, whatever the rows per step."""
    build = Builder(Shape(4, 4, 8))
    build.add("first", StageKind.POINTWISE, "input_0", 8)
    resize = Stage("resize", StageKind.RESIZE, ("first",), Shape(8, 8, 8))
    chain = Chain("x", (Shape(4, 4, 8),), (*build.stages, resize), ("resize",))
    for rows in (0, 1):
        with pytest.raises(ScheduleError, match="a resize reads a whole tensor"):
            flow(chain, rows)
