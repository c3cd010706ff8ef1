"""Offsets in the arena: live buffers never overlap, and little is wasted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.plan import arena
from mnv2c.plan.arena import ALIGNMENT, ORDERS, Buffer, aligned, place

STEPS = 12


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    made = []
    for index in range(draw(st.integers(0, 14))):
        first = draw(st.integers(0, STEPS - 1))
        last = draw(st.integers(first, STEPS - 1))
        made.append(Buffer(f"buffer_{index}", draw(st.integers(1, 5000)), first, last))
    return made


def live_bytes(found: list[Buffer], step: int) -> int:
    return sum(aligned(buffer.bytes) for buffer in found if buffer.first <= step <= buffer.last)


@given(buffers())
@settings(max_examples=200)
def test_live_buffers_never_overlap(found: list[Buffer]) -> None:
    offsets, total = place(found)
    assert offsets.keys() == {buffer.name for buffer in found}
    for buffer in found:
        start = offsets[buffer.name]
        assert start % ALIGNMENT == 0
        assert 0 <= start and start + buffer.bytes <= total
        for other in found:
            if other is not buffer and other.meets(buffer):
                before = start + buffer.bytes <= offsets[other.name]
                assert before or offsets[other.name] + other.bytes <= start


@given(buffers())
@settings(max_examples=200)
def test_the_arena_lies_between_its_bounds(found: list[Buffer]) -> None:
    _, total = place(found)
    assert max((live_bytes(found, step) for step in range(STEPS)), default=0) <= total
    assert total <= sum(aligned(buffer.bytes) for buffer in found)
    assert total % ALIGNMENT == 0


@given(buffers())
@settings(max_examples=200)
def test_several_orders_need_no_more_than_any_of_them(found: list[Buffer]) -> None:
    _, total = place(found)
    sizes = [arena._place(sorted(found, key=order))[1] for order in ORDERS]
    assert total == min(sizes) <= sizes[0]  # the first order is by size


def test_another_order_than_by_size_may_leave_no_gap() -> None:
    """By size both large buffers lie at the bottom, the third on the second, and the last one on all of them."""
    found = [Buffer("a", 128, 0, 1), Buffer("b", 64, 2, 3), Buffer("c", 128, 3, 3), Buffer("d", 64, 0, 2)]
    assert arena._place(sorted(found, key=ORDERS[0]))[1] == 256
    assert place(found)[1] == max(live_bytes(found, step) for step in range(4)) == 192


@given(buffers(), st.randoms(use_true_random=False))
def test_the_order_given_does_not_matter(found: list[Buffer], random: st.DataObject) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert place(shuffled) == place(found)


def test_buffers_that_never_meet_share_one_place() -> None:
    line = [Buffer(f"b{step}", 1000, step, step) for step in range(5)]
    assert place(line) == ({f"b{step}": 0 for step in range(5)}, 1024)


def test_a_line_of_tensors_needs_the_largest_neighbours() -> None:
    line = [Buffer("a", 640, 0, 1), Buffer("b", 128, 1, 2), Buffer("c", 576, 2, 3)]
    assert place(line)[1] == 768


def test_a_gap_is_filled() -> None:
    offsets, total = place([Buffer("a", 640, 0, 3), Buffer("b", 640, 2, 3), Buffer("c", 64, 0, 1)])
    assert total == 1280
    assert offsets["c"] == offsets["b"] == 640


def test_nothing_needs_nothing() -> None:
    assert place([]) == ({}, 0)
