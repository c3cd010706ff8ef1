"""Scratch memory that planes share: only where their lifetimes in a pass do not meet."""

from __future__ import annotations

import pytest

from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.units import units
from mnv2c.plan.chain import RELU6, Chain, Order, Shape, Stage, StageKind, Window, with_loads
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels.chains import Builder

AVX2 = provider("float32", "avx2")
SAME = Window((3, 3), padding=((1, 1), (1, 1)))


def separable(blocks: int, *, expand: bool) -> Chain:
    """A 1x1 convolution, and blocks of depthwise and 1x1, with an expansion behind each or not."""
    build = Builder(Shape(8, 8, 16))
    last = build.add("first", StageKind.EXPAND, "input_0", 16, None, RELU6)
    for number in range(blocks):
        build.add(f"depthwise_{number}", StageKind.DEPTHWISE, last, 0, SAME, RELU6)
        last = build.add(f"project_{number}", StageKind.PROJECT, f"depthwise_{number}", 16, None, RELU6)
        if expand and number < blocks - 1:
            last = build.add(f"expand_{number}", StageKind.EXPAND, last, 16, None, RELU6)
    return build.chain("separable", last)


def carried(chain: Chain) -> KernelLayout:
    """The layout in which every depthwise stage carries its sums."""
    count = sum(stage.kind is StageKind.DEPTHWISE for stage in chain.stages)
    tiles = len(chain.stages) - count
    rows = tuple(DepthwiseTile(4, 2, carry=8) for _ in range(count))
    return kernel_layout(chain, ChainSchedule(1, 0, (Tile(4, 1, 4),) * tiles, rows, False), AVX2)


def shared(layout: KernelLayout) -> list[tuple[str, ...]]:
    return [region.planes for region in layout.regions if region.name.startswith("results")]


def test_results_take_turns_behind_expansions() -> None:
    assert shared(carried(separable(3, expand=True))) == [("depthwise_0", "depthwise_1", "depthwise_2")]


def test_a_result_that_the_next_carried_stage_is_made_from_does_not_share_its_memory() -> None:
    """Chunk 1 of ``project_0`` still reads ``depthwise_0`` when chunk 0 of ``depthwise_1`` is written."""
    assert shared(carried(separable(3, expand=False))) == [("depthwise_0", "depthwise_2"), ("depthwise_1",)]


def test_a_carried_result_is_read_pixel_by_pixel() -> None:
    """Above the image a carried stage leaves sums that are thrown away, where a window would take them for zeros."""
    build = Builder(Shape(8, 8, 16))
    build.add("expand", StageKind.EXPAND, "input_0", 16, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, SAME, RELU6)
    chain = build.chain("conv", build.add("conv", StageKind.CONV, "depthwise", 8, SAME))
    schedule = ChainSchedule(1, 0, (Tile(4, 1, 4),) * 2, (DepthwiseTile(4, 2, carry=8),), False)
    with pytest.raises(ScheduleError, match="cannot carry its sums"):
        kernel_layout(chain, schedule, AVX2)


def test_an_add_stands_behind_the_load_of_what_it_adds() -> None:
    shape = Shape(4, 4, 8)
    stages = (
        Stage("project", StageKind.PROJECT, ("input_1",), shape),
        Stage("add", StageKind.ADD, ("project", "input_0"), shape),
    )
    orders = (Order.NCHW, Order.NHWC)
    chain = with_loads(Chain("branch", (shape, shape), stages, ("add",), input_orders=orders))
    assert [unit.result for unit in units(chain)] == ["load_input_0", "add"]


def test_a_sum_with_what_has_no_room_for_a_whole_vector_is_not_filled_up() -> None:
    """12 channels of the caller end where they end: beyond lies the next pixel, or nobody's memory."""

    def columns(channels: int) -> int:
        build = Builder(Shape(4, 4, channels))
        build.add("pointwise", StageKind.POINTWISE, "input_0", channels)
        build.add("add", StageKind.ADD, "pointwise", second="input_0")
        chain = build.chain("sum", build.add("depthwise", StageKind.DEPTHWISE, "add", 0, SAME))
        layout = kernel_layout(chain, ChainSchedule(1, 0, (Tile(4, 1, 4),), (DepthwiseTile(4, 2),), False), AVX2)
        packing = layout.packings["pointwise"]
        assert isinstance(packing, MatrixPacking)
        return packing.total_columns

    assert columns(12) == 12
    assert columns(16) == 16
