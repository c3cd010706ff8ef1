"""NaN goes through kernels: what depends on one is NaN, on every instruction set, under any schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import StageKind
from tests.kernels import chains, native
from tests.kernels.reference import evaluate
from tests.kernels.test_random_chains import providers

CASES = 1
"""Per family and provider."""


def with_nan(case: chains.Case, seed: int) -> chains.Case:
    """The case with NaN in one place of every input."""
    generator = np.random.default_rng(seed)
    inputs = []
    for value in case.inputs:
        spoilt = value.copy()
        spoilt.reshape(-1)[generator.integers(spoilt.size)] = np.nan
        inputs.append(spoilt)
    return replace(case, inputs=tuple(inputs))


def spreads(case: chains.Case) -> bool:
    """Whether NaN reaches neighbours, too: in sums over several pixels, as Strassen made them, or times nothing."""
    resized = any(stage.kind is StageKind.RESIZE for stage in case.chain.stages)
    return resized or any(tile.strassen or tile.summed for tile in case.schedule.tiles)


@providers
@pytest.mark.parametrize("family", sorted(chains.FAMILIES))
def test_nan_comes_out_where_the_reference_has_it(provider: Provider, family: str, tmp_path: Path) -> None:
    drawn = [with_nan(chains.case(seed, family, provider), seed) for seed in range(100, 100 + CASES)]
    calls = [native.Call(case) for case in drawn]
    native.run(calls, tmp_path)
    for call in calls:
        chain, case = call.layout.chain, call.case
        with np.errstate(invalid="ignore"):
            wanted = evaluate(chain, case.inputs, case.weights)
        for name, result in zip(chain.outputs, call.outputs(), strict=True):
            if chain.stage(name).kind is StageKind.ARGMAX or chain.stage(name).dtype != "float32":
                continue
            right = wanted[name].reshape(result.shape)
            lost = np.isnan(right) & ~np.isnan(result)
            assert not lost.any(), f"{name} lost NaN in {int(lost.sum())} of {lost.size} places: {case}"
            both = np.isfinite(right) & np.isfinite(result)
            scale = np.abs(right[both]).max(initial=1.0)
            assert np.abs(result[both] - right[both]).max(initial=0.0) <= 1e-4 * scale, f"{name}: {case}"
            spread = np.isnan(result) & ~np.isnan(right)
            assert spreads(case) or not spread.any(), f"{name} has more NaN in {int(spread.sum())} places: {case}"
        assert all(buffer.intact for buffer in call.buffers)
