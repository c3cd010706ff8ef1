"""Predicted cycles: they need not be true, but must order what is compared as it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from mnv2c.kernels.cost import Caches, memory_cycles, predicted_cycles, unit_cycles
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels.chains import Builder

CACHES = Caches(32 << 10, 512 << 10)
NO_CACHE_MATTERS = Caches(1 << 40, 1 << 40)
EVERYTHING_PASSES = Caches(0, 1 << 40)

providers = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


def bottleneck(rows: int = 28, columns: int = 28, inputs: int = 32, expanded: int = 192, stride: int = 1) -> Chain:
    build = Builder(Shape(rows, columns, inputs))
    seen = Window((3, 3), (stride, stride), padding=((1, 1), (1, 1)))
    build.add("expand", StageKind.EXPAND, "input_0", expanded, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, seen, RELU6)
    return build.chain("bottleneck", build.add("project", StageKind.PROJECT, "depthwise", inputs))


def by_row(chain: Chain, provider: Provider, carry: int = 0, again: bool = False) -> KernelLayout:
    """One row per pass; the depthwise stage reads a ring, or carries its sums, or keeps nothing."""
    tile = Tile(2, 1, 4)
    depthwise = DepthwiseTile(4, 2, carry * provider.lanes, again)
    return kernel_layout(chain, ChainSchedule(1, 0, (tile, tile), (depthwise,), False), provider)


def cycles(chain: Chain, provider: Provider) -> float:
    schedule = analytic_schedule(chain, provider, CACHES.l2)
    return predicted_cycles(kernel_layout(chain, schedule, provider), CACHES)


@providers
@pytest.mark.parametrize("extent", ["rows", "columns", "inputs", "expanded"])
def test_more_multiply_adds_take_longer(provider: Provider, extent: str) -> None:
    sizes = {"rows": 28, "columns": 28, "inputs": 32, "expanded": 192}
    chains = [bottleneck(**{**sizes, extent: sizes[extent] * times}) for times in (1, 2, 3, 4)]
    found = [cycles(chain, provider) for chain in chains]
    assert found == sorted(found) and len(set(found)) == len(found)
    assert all(later.madds > chain.madds for chain, later in pairwise(chains))


@providers
def test_larger_caches_never_take_longer(provider: Provider) -> None:
    layout = by_row(bottleneck(), provider)
    sizes = [1 << power for power in range(10, 24, 2)]
    for l1 in sizes:
        found = [predicted_cycles(layout, Caches(l1, l2)) for l2 in sizes]
        assert found == sorted(found, reverse=True)
    assert predicted_cycles(layout, CACHES) >= predicted_cycles(layout, NO_CACHE_MATTERS) > 0


@providers
@pytest.mark.parametrize("stride", [1, 2])
def test_carrying_sums_keeps_and_moves_less_than_a_ring(provider: Provider, stride: int) -> None:
    chain = bottleneck(stride=stride)
    ring, carried = by_row(chain, provider), by_row(chain, provider, carry=1)
    assert carried.scratch_elements < ring.scratch_elements
    if stride == 2:  # half a row of sums against three rows
        assert memory_cycles(carried, EVERYTHING_PASSES) < memory_cycles(ring, EVERYTHING_PASSES)


@providers
def test_keeping_nothing_takes_least_memory_and_most_products(provider: Provider) -> None:
    chain = bottleneck()
    carried, again = by_row(chain, provider, carry=1), by_row(chain, provider, carry=1, again=True)
    assert again.scratch_elements < carried.scratch_elements
    assert predicted_cycles(again, NO_CACHE_MATTERS) > predicted_cycles(carried, NO_CACHE_MATTERS)


@providers
def test_the_parts_of_a_prediction_add_up(provider: Provider) -> None:
    layout = by_row(bottleneck(), provider)
    units = unit_cycles(layout)
    assert units.keys() == {unit.result for unit in layout.units}
    assert all(cycles > 0 for cycles in units.values())
    assert sum(units.values()) + memory_cycles(layout, CACHES) == pytest.approx(predicted_cycles(layout, CACHES))
    assert memory_cycles(layout, NO_CACHE_MATTERS) == 0


def test_a_tile_that_fits_the_row_worse_takes_longer() -> None:
    chain, provider = bottleneck(columns=28), PROVIDERS["float32", "avx2"]
    good = analytic_schedule(chain, provider, CACHES.l2, rows=1)
    bad = replace(good, tiles=tuple(replace(tile, pixels=1, vectors=1) for tile in good.tiles))
    fast, slow = (predicted_cycles(kernel_layout(chain, entry, provider), CACHES) for entry in (good, bad))
    assert fast < slow
