"""The chains of a real network as tasks: nothing is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c.compiler.options import PlanOptions
from mnv2c.errors import UserError
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.tune.session import tasks
from mnv2c.tune.session.tasks import TuningProblem


@pytest.fixture(scope="module")
def network() -> TuningProblem:
    return tasks.read(PlanOptions("mobilenet_v2", "cortex-a76", width=0.35, resolution=32))


def test_equal_chains_are_one_task(network: TuningProblem) -> None:
    found = network.tasks(network.cuts)
    assert len({task.chain for task in found}) == len(found) < len(network.cuts.pieces)
    assert sum(task.times for task in found) == len(network.cuts.pieces)
    assert found[0].label == "stem" or found[0].label.startswith("stem_")


def test_defaults_are_what_the_plan_takes_and_legal(network: TuningProblem) -> None:
    taken = {piece.option.candidate.choice for piece in network.cuts.pieces if piece.option.candidate}
    unit = provider_for("float32", network.target)
    for task in network.tasks(network.cuts):
        assert task.default in taken
        assert not task.chain.in_place
        assert task.may_be_in_place or not task.default.in_place
        kernel_layout(replace(task.chain, in_place=task.default.in_place), task.default.schedule, unit)


def test_two_threads_have_defaults_with_parts() -> None:
    found = tasks.read(PlanOptions("mobilenet_v2", "x86-64-v3", width=0.35, resolution=96, threads=2))
    assert any(task.default.parts is not None for task in found.tasks(found.cuts))


def test_every_chain_that_may_be_is_known_by_the_planner(network: TuningProblem) -> None:
    every = network.tasks_of(lambda chain: True)
    assert {task.chain for task in network.tasks(network.cuts)} < {task.chain for task in every}


def test_one_cpu_at_a_time() -> None:
    with pytest.raises(UserError, match="one CPU at a time"):
        tasks.read(PlanOptions("mobilenet_v2", "cortex-a76+cortex-a53"))


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        tasks.read(PlanOptions(str(tmp_path / "none.onnx")))
