"""Planes: every element has a place of its own, inside the buffer, where the formula says."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from mnv2c.kernels.ir import KernelBuilder
from mnv2c.kernels.planes import Layout, Plane, Rows

layouts = st.builds(
    lambda slots, columns, blocks, block, left, right: Layout(slots, columns, blocks * block, block, left, right),
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 3, 4]), st.integers(0, 2),
    st.integers(0, 2),
)  # fmt: skip


@given(layouts, st.sampled_from([Rows.STEP, Rows.RING]))
def test_elements_fill_the_plane_without_overlap(layout: Layout, rows: Rows) -> None:
    k, plane = KernelBuilder("addresses"), Plane(None, layout, rows)
    places = [
        plane.row(k, row) + plane.pixel(column) + plane.channel(channel)
        for row, column, channel in product(
            range(layout.slots), range(-layout.left, layout.columns + layout.right), range(layout.channels)
        )
    ]
    assert sorted(places) == list(range(layout.elements))


@given(layouts, st.integers(-9, 9), st.integers(0, 3), st.integers(0, 11))
def test_the_documented_formula(layout: Layout, row: int, column: int, channel: int) -> None:
    plane, channel = Plane(None, layout, Rows.RING), channel % layout.channels
    found = plane.row(KernelBuilder("formula"), row) + plane.pixel(column) + plane.channel(channel)
    slots, width, block = layout.slots, layout.left + layout.columns + layout.right, layout.block
    assert found == ((channel // block * slots + row % slots) * width + layout.left + column) * block + channel % block


def test_rows_of_a_whole_image_lie_below_the_padding() -> None:
    plane = Plane(None, Layout(6, 5, 8, 4, 1, 1, top=1), Rows.ALL)
    k = KernelBuilder("whole")
    assert [plane.row(k, row) for row in (-1, 0, 4)] == [4, 4 + 28, 4 + 5 * 28]
    assert plane.joins and Plane(None, plane.layout, Rows.STEP).joins
    assert not Plane(None, plane.layout, Rows.RING).joins


def test_a_tensor_is_the_plane_of_one_block() -> None:
    plane = Plane(None, Layout(4, 5, 3, 3), Rows.ALL)
    k = KernelBuilder("tensor")
    assert plane.row(k, 2) + plane.pixel(3) + plane.channel(1) == (2 * 5 + 3) * 3 + 1
    assert plane.layout.elements == 60
