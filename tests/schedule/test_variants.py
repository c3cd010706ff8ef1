"""The schedules among which the planner chooses: what the layout accepts is whole, and there is something to choose."""

from __future__ import annotations

from functools import cache

import pytest

from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import may_carry, unfinished
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Chain, StageKind, with_loads
from mnv2c.plan.join import join
from mnv2c.plan.network import ChainNode
from mnv2c.schedule.analytic import analytic_schedule, matrix_stages
from mnv2c.schedule.variants import MOST_PIXELS, NARROW, WIDE, even_schedules, variants
from mnv2c.spec import load
from tests.plan.networks import chains_of

L2_BYTES = 512 << 10
THREADS = 4

providers = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
sizes = pytest.mark.parametrize(("width", "resolution"), [(0.35, "96"), (1.0, "224"), (0.75, "97x160")])


@cache
def chains(width: float, resolution: str) -> tuple[Chain, ...]:
    """The chains of a model, each alone and joined with the one or two after it."""
    alone = chains_of(load("mobilenet_v2", width=width, resolution=resolution))
    lines = [chain for chain in alone if all(stage.kind is not StageKind.POOL for stage in chain.stages)][:-1]
    nodes = [ChainNode(f"c{index}", chain, {}, (f"t{index}",), (f"t{index + 1}",)) for index, chain in enumerate(lines)]
    joined = [join(nodes[first : first + count]).chain for count in (2, 3) for first in range(len(nodes) - count + 1)]
    return (*alone, *joined)


def carries(chain: Chain, provider: Provider) -> list[str]:
    read = with_loads(chain, provider.gathers)
    return [stage.name for stage in read.stages if may_carry(read, stage)]


def again(chain: Chain, names: list[str]) -> list[str]:
    return [name for name in names if chain.stage(name).window.stride[0] == 1]


def accepted(chain: Chain, provider: Provider) -> list[KernelLayout]:
    found = []
    names = carries(chain, provider)
    for schedule in variants(chain, provider, L2_BYTES, names, again(chain, names)):
        try:
            found.append(kernel_layout(chain, schedule, provider))
        except ScheduleError as error:
            assert "\n" not in str(error)
    return found


@providers
@sizes
def test_what_is_accepted_cuts_channels_into_whole_tiles(provider: Provider, width: float, resolution: str) -> None:
    for chain in chains(width, resolution):
        for layout in accepted(chain, provider):
            check_tiles(layout, provider)
            check_carried(layout, provider)


def check_tiles(layout: KernelLayout, provider: Provider) -> None:
    schedule = layout.schedule
    matrices = matrix_stages(layout.chain)
    assert len(schedule.tiles) == len(matrices)
    assert all(provider.fits(tile.pixels, tile.vectors) for tile in schedule.tiles)
    if schedule.chunk:
        expand = layout.chain.stage("expand")
        padded = -(-expand.shape.channels // provider.lanes) * provider.lanes
        assert padded % schedule.chunk == 0
        assert schedule.chunk % (schedule.tiles[0].vectors * provider.lanes) == 0


def check_carried(layout: KernelLayout, provider: Provider) -> None:
    chain, schedule = layout.chain, layout.schedule
    matrices = [stage.name for stage in matrix_stages(chain)]
    stages = [stage for stage in chain.stages if stage.kind is StageKind.DEPTHWISE]
    for stage, tile in zip(stages, schedule.depthwise, strict=True):
        if not tile.carry:
            assert not tile.again
            continue
        source = chain.stage(stage.sources[0])
        padded = -(-source.shape.channels // provider.lanes) * provider.lanes
        assert tile.carry % provider.lanes == 0 and padded % tile.carry == 0
        assert tile.carry % (schedule.tiles[matrices.index(source.name)].vectors * provider.lanes) == 0
        assert layout.flow.stages[stage.name].rows == 1
        assert layout.rings[source.name].channels == tile.carry
        kept = layout.sums[stage.name].slots if stage.name in layout.sums else 0
        assert kept == (0 if tile.again else unfinished(stage.window))


@providers
@sizes
def test_the_analytic_schedule_comes_first_and_is_accepted(provider: Provider, width: float, resolution: str) -> None:
    for chain in chains(width, resolution):
        names = carries(chain, provider)
        first = next(iter(variants(chain, provider, L2_BYTES, names, again(chain, names))))
        assert first == analytic_schedule(chain, provider, L2_BYTES)
        kernel_layout(chain, first, provider)


@providers
def test_every_carried_stage_may_trade_time_for_memory(provider: Provider) -> None:
    """Fewer channels in flight, and more stages of which nothing is kept, need less scratch memory."""
    joined = [chain for chain in chains(1.0, "224") if len(carries(chain, provider)) == 3]
    assert joined
    for chain in joined:
        found = [layout for layout in accepted(chain, provider) if any(t.carry for t in layout.schedule.depthwise)]
        count = len(again(chain, carries(chain, provider))) + 1
        wide, narrow = found[:count], found[count:]
        assert len(wide) == len(narrow) == count
        for group, most in ((wide, WIDE), (narrow, NARROW)):
            assert all(t.carry <= most * provider.lanes for layout in group for t in layout.schedule.depthwise)
        nothing_kept = [sum(t.again for t in layout.schedule.depthwise) for layout in narrow]
        assert nothing_kept == list(range(count))
        assert all(n.scratch_elements <= w.scratch_elements for n, w in zip(narrow, wide, strict=True))
        assert narrow[-1].scratch_elements < wide[0].scratch_elements


@providers
def test_a_pooled_or_whole_chain_carries_nothing(provider: Provider) -> None:
    for chain in chains(0.35, "96"):
        if any(stage.kind is StageKind.POOL for stage in chain.stages) or not carries(chain, provider):
            names = carries(chain, provider)
            found = list(variants(chain, provider, L2_BYTES, names, again(chain, names)))
            assert all(tile.carry == 0 for schedule in found for tile in schedule.depthwise)


@providers
@sizes
def test_schedules_for_threads_share_steps_evenly(provider: Provider, width: float, resolution: str) -> None:
    for chain in chains(width, resolution):
        last = chain.stages[-1].shape
        for schedule in even_schedules(chain, provider, L2_BYTES, THREADS):
            assert schedule.rows == 0 or (last.rows // schedule.rows) % THREADS == last.rows % schedule.rows == 0
            assert schedule.rows * last.columns <= MOST_PIXELS
            kernel_layout(chain, schedule, provider)
