"""Random chains under random schedules, for every provider, against a plain reference."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c import tolerance
from mnv2c.errors import CompilerError
from mnv2c.kernels.chain import pack_weights
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import StageKind
from mnv2c.plan.interpreter import interpret
from tests.kernels import chains, native
from tests.kernels.reference import evaluate

CASES = 6
"""Per family and provider in one run; each compiles in about a tenth of a second."""

providers = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


def check(cases: list[chains.Case], folder: Path) -> None:
    calls = [native.Call(case) for case in cases]
    native.run(calls, folder)
    found = [fault for call in calls for fault in faults(call)]
    assert not found, "\n".join(found)


def faults(call: native.Call) -> Iterator[str]:
    """What a call did wrong, one line each."""
    chain, case = call.layout.chain, call.case
    wanted = evaluate(chain, case.inputs, case.weights)
    for name, result in zip(chain.outputs, call.outputs(), strict=True):
        error = tolerance.relative_error(result, wanted[name])
        if not error <= tolerance.FLOAT32 / 10:
            yield f"{name} is off by {error:.1e}: {case}"
    if not all(buffer.intact for buffer in call.buffers):
        yield f"written beside a buffer: {case}"
    kept = [(case.inputs[index], call.inputs[index]) for index in range(int(chain.in_place), len(case.inputs))]
    kept += zip(pack_weights(call.layout, case.weights), call.weights, strict=True)
    if not all(np.array_equal(value.ravel(), buffer.values) for value, buffer in kept):
        yield f"an input or the weights were written: {case}"


@providers
@pytest.mark.parametrize("family", chains.FAMILIES)
def test_kernels_compute_what_the_reference_does(provider: Provider, family: str, tmp_path: Path) -> None:
    check([chains.case(seed, family, provider) for seed in range(CASES)], tmp_path)


@pytest.mark.slow
@providers
@pytest.mark.parametrize("family", chains.FAMILIES)
@pytest.mark.parametrize("start", range(1000, 1400, 40))
def test_many_kernels_compute_what_the_reference_does(
    provider: Provider, family: str, start: int, tmp_path: Path
) -> None:
    check([chains.case(seed, family, provider) for seed in range(start, start + 40)], tmp_path)


@given(random=st.randoms(use_true_random=False), family=st.sampled_from(sorted(chains.FAMILIES)))
def test_the_interpreter_computes_what_the_reference_does(random: Random, family: str) -> None:
    chain = chains.chain(random, family)
    last = chain.stages[-1].shape.rows
    rows = chains.legal_rows(chain, random.choice([0, *(rows for rows in range(1, last + 1) if last % rows == 0)]))
    inputs, weights = chains.tensors(chain, 0)
    if any(stage.kind is StageKind.POOL for stage in chain.stages):
        with pytest.raises(CompilerError, match="no rule for stage kind pool"):
            interpret(chain, rows, inputs, weights)
        return
    wanted = evaluate(chain, inputs, weights)
    for name, found in zip(chain.outputs, interpret(chain, rows, inputs, weights), strict=True):
        assert tolerance.relative_error(found, wanted[name]) <= tolerance.FLOAT32 / 10
