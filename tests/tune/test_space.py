"""The space of a task: all that it yields is legal by the kernel's layout, and can be emitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c import targets
from mnv2c.errors import ScheduleError
from mnv2c.kernels.chain import emit_chain
from mnv2c.kernels.layout import kernel_layout
from mnv2c.plan.chain import Chain, StageKind
from mnv2c.plan.join import join
from mnv2c.plan.network import ChainNode
from mnv2c.plan.parts import Cut, Parts
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.choice import Choice
from mnv2c.spec import load
from mnv2c.tune.space.task import Task
from mnv2c.tune.space.ways import Space
from tests.plan.networks import chains_of

TARGETS = ("x86-64-v4", "x86-64-v3", "cortex-a76", "cortex-a7")


@cache
def all_chains() -> tuple[Chain, ...]:
    """The blocks of a small network, one with channels beside the vector, and the first three joined."""
    found = chains_of(load("mobilenet_v2", width=0.75, resolution="96"))
    nodes = [ChainNode(f"c{i}", chain, {}, (f"t{i}",), (f"t{i + 1}",)) for i, chain in enumerate(found[:3])]
    return (*found, join(nodes).chain)


def task_of(index: int, target: str = "x86-64-v4", threads: int = 1) -> Task:
    chain, chosen = all_chains()[index], targets.load(target)
    plain = Space(Task("", chain, chosen, Choice(analytic_schedule(chain, _unit(target), chosen.l2_bytes))))
    residual = chain.stages[-1].kind is StageKind.ADD
    return replace(plain.task, label=f"chain {index}", threads=threads, may_be_in_place=residual)


def _unit(target: str) -> object:
    from mnv2c.kernels.microkernels import provider_for

    return provider_for("float32", targets.load(target))


indices = st.integers(0, 19)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_drawn_is_legal_and_is_emitted(target: str, threads: int) -> None:
    rng = Random(target)
    for index in (0, 2, len(all_chains()) - 2, len(all_chains()) - 1):
        task = task_of(index, target, threads)
        space = Space(task)
        drawn = [space.sample(rng), *space.neighbours(task.default, rng, 1)]
        for choice in drawn:
            layout = kernel_layout(replace(task.chain, in_place=choice.in_place), choice.schedule, space.unit)
            emit_chain(layout, "kernel", choice.parts)


@settings(deadline=None, max_examples=40)
@given(index=st.integers(0, 100), seed=st.integers(0, 10**6), threads=st.sampled_from([1, 2, 4]))
def test_samples_and_neighbours_are_in_the_space(index: int, seed: int, threads: int) -> None:
    task, rng = task_of(index % len(all_chains()), threads=threads), Random(seed)
    space = Space(task)
    choice = space.sample(rng)
    near = space.neighbours(choice, rng, 4)
    assert all(space.contains(entry) for entry in (choice, *near))
    assert choice not in near and len(set(near)) == len(near)
    assert all(entry.parts is None or entry.parts.count <= threads for entry in (choice, *near))


@pytest.mark.parametrize("index", [0, 3, 12, -3, -1])
def test_starts_are_the_default_and_other_legal_choices(index: int) -> None:
    task = task_of(index)
    space = Space(task)
    starts = space.starts()
    assert starts[0] == task.default
    assert len(set(starts)) == len(starts) > 1
    assert all(space.contains(choice) for choice in starts)


def test_the_same_state_of_the_generator_draws_the_same() -> None:
    drawn = [[Space(task_of(4)).sample(Random(seed)) for seed in range(20)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 15


def test_samples_turn_every_knob() -> None:
    space, rng = Space(task_of(2)), Random(1)
    drawn = [space.sample(rng) for _ in range(600)]
    rows = [choice.schedule.depthwise[0] for choice in drawn]
    assert {choice.schedule.rows for choice in drawn} >= {0, 1, 2}
    assert len({tile.unroll for choice in drawn for tile in choice.schedule.tiles}) > 4
    assert len({(tile.pixels, tile.vectors) for choice in drawn for tile in choice.schedule.tiles}) > 20
    assert {choice.schedule.prefetch for choice in drawn} == {choice.in_place for choice in drawn} == {True, False}
    assert any(choice.schedule.chunk for choice in drawn)
    assert any(row.carry for row in rows) and any(row.again for row in rows) and any(row.by_channel for row in rows)


@pytest.mark.parametrize("target", ["x86-64-v4", "znver4", "sapphirerapids", "cortex-a76"])
@pytest.mark.parametrize("index", [2, 9])
def test_strassen_s_products_are_among_the_starts_where_they_are_possible(index: int, target: str) -> None:
    task = task_of(index, target)
    found = [choice for choice in Space(task).starts() if any(tile.strassen for tile in choice.schedule.tiles)]
    assert found and not any(tile.strassen for tile in task.default.schedule.tiles)


def kinds(choices: Sequence[Choice]) -> list[tuple[bool, bool]]:
    """Whether choices have products of sums, and Strassen's."""
    tiles = [choice.schedule.tiles for choice in choices]
    return [(any(tile.summed for tile in some), any(tile.strassen for tile in some)) for some in tiles]


@pytest.mark.parametrize("index", [2, 9])
def test_other_products_are_turned_on_wherever_they_are_possible(index: int) -> None:
    space = Space(task_of(index, "znver4"))  # x86-64-v4 has wider tiles in chain 9: pairs of them are too much code
    plain, summed, strassen = space.with_products(space.task.default)
    assert kinds([plain, summed, strassen]) == [(False, False), (True, False), (False, True)]
    assert all(space.contains(found) and found in space.starts() for found in (plain, summed, strassen))
    assert [*kinds(space.with_products(summed)), *kinds(space.with_products(strassen))] == [
        (True, False),
        (False, True),
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("target", ["x86-64-v3", "sapphirerapids", "cortex-a76"])
def test_products_of_sums_are_for_cpus_that_add_in_units_of_their_own(target: str) -> None:
    space, rng = Space(task_of(2, target)), Random(3)
    near = [choice for _ in range(20) for choice in space.neighbours(space.task.default, rng)]
    assert not any(summed for summed, _ in kinds([*space.starts(), *near, *(space.sample(rng) for _ in range(50))]))


def test_samples_and_neighbours_have_products_of_sums() -> None:
    space, rng = Space(task_of(9, "znver4")), Random(3)
    near = [choice for _ in range(20) for choice in space.neighbours(space.task.default, rng)]
    for choices in (near, [space.sample(rng) for _ in range(20)]):
        assert {(True, False), (False, True)} <= set(kinds(choices))


def test_columns_are_not_shared_where_other_products_are_turned_on() -> None:
    space = Space(task_of(9, "znver4", threads=2))
    shared = next(choice for choice in space.starts() if choice.parts is not None and choice.parts.cut is Cut.COLUMNS)
    for found in space.with_products(shared)[1:]:
        assert kinds([found]) != [(False, False)] and space.contains(found)


def test_only_channels_beside_the_vector_may_be_exact() -> None:
    stem, other = Space(task_of(0)), Space(task_of(2))  # 24 channels, and 144
    rng = Random(2)
    assert any(row.exact for _ in range(50) for row in stem.sample(rng).schedule.depthwise)
    assert not any(row.exact for _ in range(50) for row in other.sample(rng).schedule.depthwise)


def test_illegal_choices_are_not_in_the_space() -> None:
    task = task_of(2)
    space, schedule = Space(task), task.default.schedule
    tile, row = schedule.tiles[0], schedule.depthwise[0]
    bad = [
        replace(schedule, tiles=schedule.tiles[:1]),
        replace(schedule, tiles=(replace(tile, pixels=31), schedule.tiles[1])),
        replace(schedule, tiles=(replace(tile, unroll=0), schedule.tiles[1])),
        replace(schedule, rows=5),
        replace(schedule, chunk=17, rows=0),
        replace(schedule, depthwise=(replace(row, group=0),)),
        replace(schedule, depthwise=(replace(row, carry=5),)),
    ]
    assert not [entry for entry in bad if space.contains(Choice(entry))]
    assert not Space(replace(task, may_be_in_place=False)).contains(Choice(schedule, None, in_place=True))


def test_bounds_on_code_and_memory_hold_for_all_but_the_default() -> None:
    task = task_of(0)
    long = replace(task.default.schedule.tiles[0], unroll=10_000)
    huge = Choice(replace(task.default.schedule, tiles=(long, *task.default.schedule.tiles[1:])))
    with pytest.raises(ScheduleError, match=r"instructions, more than \d+"):
        Space(task).layout(huge)
    assert Space(replace(task, default=huge)).contains(huge)
    joined = task_of(-1)
    rows = tuple(replace(row, carry=0) for row in joined.default.schedule.depthwise)
    whole = Choice(replace(joined.default.schedule, rows=0, depthwise=rows))
    small = replace(joined, target=replace(joined.target, l2_bytes=1 << 10))
    with pytest.raises(ScheduleError, match="bytes of scratch memory"):
        Space(small).layout(whole)


def test_strips_must_cover_all_steps() -> None:
    task = task_of(2, threads=2)
    space = Space(task)
    steps = space.layout(task.default).flow.last_step
    assert steps > 2

    def cut(*ranges: tuple[int, int]) -> Choice:
        return replace(task.default, parts=Parts(Cut.STRIPS, len(ranges), ranges=ranges))

    assert space.contains(cut((0, 1), (1, steps)))
    for wrong in (cut((0, 1), (2, steps)), cut((0, 1), (1, steps - 1)), cut((0, 1), (1, 2), (2, steps))):
        assert not space.contains(wrong)
