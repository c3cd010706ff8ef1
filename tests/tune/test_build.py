"""From choices of a task to measured results, through the compiling processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from mnv2c import targets
from mnv2c.errors import CompilerError
from mnv2c.kernels.cost import Caches
from mnv2c.kernels.division import divisions
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.plan.chain import RELU6, Chain, Shape, StageKind, Window
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.choice import Choice
from mnv2c.tune.devices.base import Form
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.measure.build import Builder
from mnv2c.tune.measure.worker import answer
from mnv2c.tune.measure.workers import Workers
from mnv2c.tune.space.task import Measured, Status, Task
from tests.kernels import chains

SAME = Window((3, 3), padding=((1, 1), (1, 1)))


class Inline(Workers):
    """Compiles in this process, which has TVM already."""

    def __init__(self) -> None:
        super().__init__(1)

    def build(self, requests):  # type: ignore[no-untyped-def]
        return [answer(request) for request in requests]


def bottleneck() -> Chain:
    build = chains.Builder(Shape(10, 12, 8))
    build.add("expand", StageKind.EXPAND, "input_0", 48, None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, SAME, RELU6)
    build.add("project", StageKind.PROJECT, "depthwise", 8)
    last = build.add("add", StageKind.ADD, "project", second="input_0")
    return Chain("bottleneck", build.inputs, tuple(build.stages), (last,))


def task(chain: Chain, target: str = "host", threads: int = 1) -> Task:
    chosen = targets.load(target)
    schedule = analytic_schedule(chain, provider_for("float32", chosen), chosen.l2_bytes)
    return Task("bottleneck_02", chain, chosen, Choice(schedule), threads, may_be_in_place=True)


def others(of: Task) -> list[Choice]:
    """Two rows at once, other tiles, in place."""
    schedule = of.default.schedule
    tiles = tuple(replace(tile, pixels=2, vectors=1) for tile in schedule.tiles)
    return [
        Choice(replace(schedule, rows=2)),
        Choice(replace(schedule, tiles=tiles)),
        Choice(schedule, in_place=True),
    ]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Inline() as pool:
        yield pool


def test_choices_are_compiled_in_processes_linked_with_the_default_and_measured() -> None:
    of = task(bottleneck())
    wrong = Choice(replace(of.default.schedule, tiles=of.default.schedule.tiles[:1]))
    with Workers(1) as pool, open_device("local", of.target) as device:
        built = Builder(of, device.form, pool).build([*others(of)[:1], wrong, *others(of)[1:]], limit=1.0)
        assert built.batch is not None and built.batch.numbers == (1, 2, 3)
        found = built.results(device.measure(built.batch))
    assert [result.status for result in found] == [Status.OK, Status.UNBUILT, Status.OK, Status.OK], found
    assert "ScheduleError" in found[1].detail
    assert all(result.error is not None and result.error < 1e-5 for result in found if result.valid)


def test_a_batch_without_candidates_says_why(workers: Workers) -> None:
    of = task(bottleneck())
    built = Builder(of, Form.EXECUTABLE, workers).build([Choice(replace(of.default.schedule, tiles=()))])
    assert built.batch is None
    assert [result.status for result in built.results([])] == [Status.UNBUILT]


def test_a_default_that_cannot_be_compiled_is_an_error(workers: Workers) -> None:
    of = task(bottleneck())
    broken = replace(of, default=Choice(replace(of.default.schedule, tiles=())))
    with pytest.raises(CompilerError, match="bottleneck_02: the default"):
        Builder(broken, Form.EXECUTABLE, workers).build(others(of)[:1])


@pytest.mark.parametrize(
    "family",
    [
        "head",
        "mask",
        "predictions",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("stem", "sides", "dense")),
    ],
)
def test_every_kind_of_chain_can_be_measured(family: str, workers: Workers) -> None:
    chain = chains.chain(Random(f"measure {family}"), family)
    of = task(chain)
    with open_device("local", of.target) as device:
        built = Builder(of, device.form, workers).build([of.default], limit=0.5)
        assert built.batch is not None
        (found,) = device.measure(built.batch)
    assert found.status is Status.OK, (found, chain)


def test_threads_share_what_the_planner_cuts(workers: Workers) -> None:
    of = task(bottleneck(), threads=2)
    unit = provider_for("float32", of.target)
    whole = replace(of.default.schedule, rows=0)
    cuts = [
        Choice(schedule, parts)
        for schedule in (of.default.schedule, replace(of.default.schedule, rows=1), whole)
        for parts, _ in divisions(kernel_layout(of.chain, schedule, unit), 2, Caches(32768, 1 << 20))
    ]
    assert {choice.parts.cut for choice in cuts if choice.parts} == {"strips", "columns"}
    with open_device("local", of.target) as device:
        built = Builder(of, device.form, workers).build(cuts, limit=1.0)
        assert built.batch is not None
        found = built.results(device.measure(built.batch))
    assert {result.status for result in found} == {Status.OK}, found


def counted(of: Task, choices: list[Choice], workers: Workers) -> list[Measured]:
    with open_device("emulator", of.target, threads=of.threads) as device:
        built = Builder(of, device.form, workers).build(choices, limit=2.0)
        assert built.batch is not None
        return built.results(device.measure(built.batch))


@pytest.mark.emulated
def test_the_emulator_counts_the_same_to_the_digit_in_any_batch(workers: Workers) -> None:
    of = task(bottleneck(), "cortex-a76")
    choices = others(of)
    first = counted(of, choices, workers)
    again = counted(of, [of.default, *reversed(choices)], workers)
    assert {result.status for result in first} == {Status.OK}, first
    assert first == again[:0:-1]
    assert again[0].ratio == 1.0
    assert len({result.cost for result in first}) == 3
