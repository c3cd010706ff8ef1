"""Chains whose inputs are stored NCHW compute what they compute of NHWC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Chain, Order, Shape, Stage, StageKind, Window, with_loads
from mnv2c.verification import tolerance
from tests.kernels import chains, native
from tests.kernels.reference import evaluate

FAMILIES = ("stem", "bottleneck", "t = 1", "convolution", "head", "single", "late")
CASES = 2

HALF = Window((3, 3), (2, 2), padding=((1, 1), (1, 1)))


def planar(case: chains.Case) -> chains.Case | None:
    """The case with its inputs stored NCHW, if its schedule still fits."""
    stages = tuple(stage for stage in case.chain.stages if stage.kind is not StageKind.LOAD)
    stages = tuple(
        replace(stage, sources=tuple(source.removeprefix("load_") for source in stage.sources)) for stage in stages
    )
    orders = (Order.NCHW,) * len(case.chain.inputs)
    turned = replace(case, chain=replace(case.chain, stages=stages, in_place=False, input_orders=orders))
    try:
        kernel_layout(turned.chain, turned.schedule, turned.provider)
    except ScheduleError:
        return None
    return turned


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_kernels_read_planes(provider: Provider, tmp_path: Path) -> None:
    drawn = [planar(chains.case(seed, family, provider)) for family in FAMILIES for seed in range(CASES)]
    cases = [case for case in drawn if case is not None]
    assert len(cases) > len(FAMILIES) * CASES // 2
    calls = [native.Call(case) for case in cases]
    native.run(calls, tmp_path)
    for call in calls:
        wanted = evaluate(call.layout.chain, call.case.inputs, call.case.weights)
        for name, result in zip(call.layout.chain.outputs, call.outputs(), strict=True):
            assert tolerance.relative_error(result, wanted[name]) <= tolerance.FLOAT32 / 10, str(call.case)
        assert all(buffer.intact for buffer in call.buffers), str(call.case)
        for value, buffer in zip(call.case.inputs, call.inputs, strict=True):
            np.testing.assert_array_equal(buffer.values, value.transpose(2, 0, 1).ravel())


def test_every_reader_of_a_planar_input_gets_the_loaded_rows() -> None:
    stages = (
        Stage("expand", StageKind.EXPAND, ("input_0",), Shape(4, 4, 8)),
        Stage("project", StageKind.PROJECT, ("expand",), Shape(4, 4, 3)),
        Stage("add", StageKind.ADD, ("project", "input_0"), Shape(4, 4, 3)),
    )
    chain = Chain("test", (Shape(4, 4, 3),), stages, ("add",), input_orders=(Order.NCHW,))
    loaded = with_loads(chain)
    assert [stage.kind for stage in loaded.stages] == ["load", "expand", "project", "add"]
    assert [stage.sources for stage in loaded.stages[1:]] == [
        ("load_input_0",),
        ("expand",),
        ("project", "load_input_0"),
    ]
    assert with_loads(loaded) == loaded


def test_a_chain_of_nhwc_inputs_loads_only_for_windows() -> None:
    stages = (
        Stage("stem", StageKind.STEM, ("input_0",), Shape(2, 2, 8), HALF),
        Stage("project", StageKind.PROJECT, ("stem",), Shape(2, 2, 3)),
    )
    chain = Chain("test", (Shape(4, 4, 3),), stages, ("project",))
    assert [stage.kind for stage in with_loads(chain).stages] == ["load", "stem", "project"]
    assert not chain.is_planar("input_0")
    assert not chain.is_planar("stem")
