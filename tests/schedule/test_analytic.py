"""The analytic rule: legal for every chain of the zoo on every target, whatever its numbers are tuned to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c import targets
from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import MATRIX_KINDS, Chain, StageKind, with_loads
from mnv2c.plan.interpreter import interpret
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.record import ChainSchedule
from mnv2c.spec import load
from tests.kernels.reference import evaluate
from tests.plan.drawn import tensors
from tests.plan.networks import chains_of, changed

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = ("32", "33x47", "96", "97x160", "224", "225x161")
L2_BYTES = (64 << 10, 256 << 10, 512 << 10, 2 << 20)
DILATED = {"output_stride": 8, "padding": "tf_same"}

providers = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


def chains(width: float, resolution: str, **changes: object) -> set[Chain]:
    """The distinct chains of a model."""
    return set(chains_of(changed(load("mobilenet_v2", width=width, resolution=resolution), **changes)))


def laid_out(chain: Chain, provider: Provider, l2_bytes: int) -> KernelLayout:
    schedule = analytic_schedule(chain, provider, l2_bytes)
    assert schedule == analytic_schedule(chain, provider, l2_bytes)
    return kernel_layout(chain, schedule, provider)


@providers
@pytest.mark.parametrize("width", WIDTHS)
def test_every_chain_of_the_zoo_has_a_legal_schedule(provider: Provider, width: float) -> None:
    for resolution in RESOLUTIONS:
        for index, chain in enumerate(sorted(chains(width, resolution), key=str)):
            layout = laid_out(chain, provider, L2_BYTES[index % len(L2_BYTES)])
            weighted = {s.name for s in layout.chain.stages if s.kind in MATRIX_KINDS or s.kind is StageKind.DEPTHWISE}
            assert layout.packings.keys() == weighted


@providers
def test_any_second_level_cache_will_do(provider: Provider) -> None:
    for chain in chains(1.0, "96"):
        for l2_bytes in (0, *L2_BYTES, 1 << 30):
            laid_out(chain, provider, l2_bytes)


@providers
@pytest.mark.parametrize("changes", [DILATED, {"padding": "tf_same"}, {"bottleneck_activation": "relu6"}])
def test_variants_have_legal_schedules(provider: Provider, changes: dict[str, object]) -> None:
    for chain in chains(0.75, "65x97", **changes):
        laid_out(chain, provider, 512 << 10)


@pytest.mark.slow
@providers
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("l2_bytes", L2_BYTES)
def test_the_full_product_has_legal_schedules(provider: Provider, width: float, l2_bytes: int) -> None:
    for resolution in (*RESOLUTIONS, "128", "160", "192", "50x300", "513"):
        for changes in ({}, DILATED, {"output_stride": 16}):
            for chain in chains(width, resolution, **changes):
                laid_out(chain, provider, l2_bytes)


@pytest.mark.parametrize("name", [entry.name for entry in targets.available() if entry.name != "host"])
def test_every_target_has_a_provider_whose_schedules_are_legal(name: str) -> None:
    target = targets.load(name)
    for chain in chains(1.0, "96"):
        laid_out(chain, PROVIDERS["float32", target.isa], target.l2_bytes)


@providers
def test_rings_are_those_of_the_row_plan(provider: Provider) -> None:
    for chain in chains(1.0, "96"):
        layout = laid_out(chain, provider, 512 << 10)
        for name, ring in layout.rings.items():
            assert ring.slots == layout.flow.stages[name].ring
            stage = next(unit.stage for unit in layout.units if unit.result == name)
            chunked = layout.schedule.chunk and stage.kind is not StageKind.LOAD
            assert ring.channels >= (layout.schedule.chunk if chunked else stage.shape.channels)
            assert ring.columns == stage.shape.columns
        assert layout.scratch_elements == sum(ring.elements for ring in layout.rings.values())


@given(st.sampled_from(WIDTHS), st.sampled_from(RESOLUTIONS[:2]), st.sampled_from([{}, DILATED]), st.data())
@settings(max_examples=8)
def test_the_planned_rows_compute_the_chain(
    width: float, resolution: str, changes: dict[str, object], data: st.DataObject
) -> None:
    """The interpreter follows the schedule's rows; a schedule that is too clever would lose one."""
    candidates = sorted(chains(min(width, 0.5), resolution, **changes), key=str)
    chain = data.draw(st.sampled_from([c for c in candidates if c.kind in ("stem", "bottleneck")]))
    unit = data.draw(st.sampled_from(list(PROVIDERS.values())))
    rows = analytic_schedule(chain, unit, 512 << 10).rows
    inputs, weights = tensors(chain)
    wanted = evaluate(chain, inputs, weights)[chain.outputs[0]]
    (found,) = interpret(with_loads(chain), rows, inputs, weights)
    assert abs(found - wanted).max() <= 1e-4 * abs(wanted).max()


def bottleneck() -> Chain:
    return next(chain for chain in chains_of(load("mobilenet_v2", resolution="96"))[1:])


def test_a_schedule_is_plain_data() -> None:
    schedule = analytic_schedule(bottleneck(), PROVIDERS["float32", "neon"], 512 << 10)
    data = json.loads(json.dumps(schedule.to_dict()))
    assert data.keys() == schedule.__dataclass_fields__.keys()
    matrix = [stage for stage in bottleneck().stages if stage.kind in MATRIX_KINDS]
    assert len(data["tiles"]) == len(matrix)
    assert all(tile.keys() >= {"pixels", "vectors"} for tile in data["tiles"])


@providers
def test_illegal_schedules_are_refused_in_one_line(provider: Provider) -> None:
    from dataclasses import replace

    chain = bottleneck()
    good = analytic_schedule(chain, provider, 512 << 10)

    def refuse(message: str, schedule: ChainSchedule) -> None:
        with pytest.raises(ScheduleError, match=message) as error:
            kernel_layout(chain, schedule, provider)
        assert "\n" not in str(error.value)

    refuse("no tile for stage", replace(good, tiles=good.tiles[:1]))
    refuse("1 more tiles than the chain has matrix stages", replace(good, tiles=(*good.tiles, good.tiles[0])))
    huge = replace(good.tiles[0], pixels=100, vectors=100)
    refuse("exceeds .* registers", replace(good, tiles=(huge, *good.tiles[1:])))
    refuse("rows per step do not divide", replace(good, rows=chain.stages[-1].shape.rows - 1, chunk=0))
    one = replace(good.tiles[0], pixels=1, vectors=1)
    refuse("a chunk", replace(good, rows=0, chunk=provider.lanes + 1, tiles=(one, *good.tiles[1:])))
