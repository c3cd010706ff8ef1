"""Plans for several variants at once: cut alike, one arena, nothing that one of them would do better alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.plan.assemble import assemble, assemble_variants, placed_bytes
from mnv2c.plan.program import Program, Space
from mnv2c.planner.cuts import Option
from mnv2c.planner.together import together
from tests.plan.test_assemble import LINE, kernel, network

ways = st.lists(
    st.builds(Option, st.integers(1, 9).map(float), st.integers(0, 4).map(lambda size: (64 * size,)), st.booleans()),
    min_size=1,
    max_size=6,
)


@given(st.lists(ways, min_size=2, max_size=3))
def test_every_variant_runs_as_fast_as_its_memory_allows(each: list[list[Option]]) -> None:
    whole = replace(network(LINE), nodes=network(LINE).nodes[:1])
    for option in together(whole, [lambda first, last, own=own: own for own in each])(0, 0):  # type: ignore[misc]
        assert len(option.each) == len(each)
        assert option.scratch == (max(sum(chosen.scratch) for chosen in option.each),)
        for chosen, own in zip(option.each, each, strict=True):
            assert chosen.in_place == option.in_place
            fitting = [entry for entry in own if entry.in_place == option.in_place and entry.scratch <= option.scratch]
            assert chosen.cycles == min(entry.cycles for entry in fitting)


def test_a_slow_cpu_has_no_greater_say() -> None:
    slow, quick = [Option(1000.0, (0,)), Option(900.0, (64,))], [Option(10.0, (0,)), Option(5.0, (64,))]
    whole = replace(network(LINE), nodes=network(LINE).nodes[:1])
    found = together(whole, [lambda first, last: slow, lambda first, last: quick])(0, 0)
    assert [option.cycles for option in found] == [1000 / 900 + 2, 2.0]


def test_variants_share_the_arena_and_equal_weights() -> None:
    same, other = np.ones(5, np.float32), np.zeros(5, np.float32)
    first = [kernel(640, weights=(same,)), kernel(in_place=True), kernel(64)]
    second = [kernel(128, 256, weights=(same,)), kernel(in_place=True), kernel(640, weights=(other,))]
    left, right = assemble_variants(network(LINE), [first, second])
    assert left.weights == right.weights
    assert len(left.weights) == 128
    assert left.arena_bytes == right.arena_bytes == placed_bytes(network(LINE), first, second)
    assert left.arena_bytes == max(assemble(network(LINE), [*kernels]).arena_bytes for kernels in (first, second))
    assert [step.results for step in left.steps] == [step.results for step in right.steps]
    assert apart(left)
    assert apart(right)
    assert left.steps[0].arguments[-1].space is Space.ARENA


def apart(program: Program) -> bool:
    """Whether no two buffers that are in use in one step overlap."""
    buffers = program.buffers
    return not any(
        one.offset < two.offset + two.bytes and two.offset < one.offset + one.bytes
        for index, one in enumerate(buffers)
        for two in buffers[index + 1 :]
        if one.first <= two.last and two.first <= one.last
    )
