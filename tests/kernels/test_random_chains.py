"""Random chains under random schedules, for every provider, against a plain reference."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import CompilerError
from mnv2c.kernels.chain import pack_weights
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import StageKind, clips, is_added_pixel
from mnv2c.plan.interpreter import interpret
from mnv2c.plan.resampling import Coordinates
from mnv2c.verification import tolerance
from tests.kernels import chains, native
from tests.kernels.reference import error, evaluate

CASES = 8
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
        off = error(chain, name, result, wanted)
        if not off <= tolerance.FLOAT32 / 10:
            yield f"{name} is off by {off:.1e}: {case}"
    if not all(buffer.intact for buffer in call.buffers):
        yield f"written beside a buffer: {case}"
    own = range(int(chain.in_place), len(case.inputs))
    kept = [(call.stored(index, case.inputs[index]), call.inputs[index]) for index in own]
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
        assert error(chain, name, found, wanted) <= tolerance.FLOAT32 / 10


def test_the_default_cases_draw_every_choice() -> None:
    drawn = [
        chains.case(seed, family, provider)
        for family in chains.FAMILIES
        for provider in PROVIDERS.values()
        for seed in range(CASES)
    ]
    stages = [stage for case in drawn for stage in case.chain.stages]
    windows = [stage.window for stage in stages]
    counts = {
        "in place": sum(case.chain.in_place for case in drawn),
        "chunks": sum(native.kernel_layout(case.chain, case.schedule, case.provider).chunks > 1 for case in drawn),
        "one row per step": sum(case.schedule.rows == 1 for case in drawn),
        "several rows per step": sum(case.schedule.rows > 1 for case in drawn),
        "carried sums": sum(tile.carry > 0 and not tile.again for case in drawn for tile in case.schedule.depthwise),
        "carried sums of dilated windows": sum(
            tile.carry > 0 and max(stage.window.dilation) > 1
            for case in drawn
            for stage, tile in zip(
                [stage for stage in case.chain.stages if stage.kind is StageKind.DEPTHWISE],
                case.schedule.depthwise,
                strict=True,
            )
        ),
        "made again": sum(tile.carry > 0 and tile.again for case in drawn for tile in case.schedule.depthwise),
        "by channel": sum(
            tile.by_channel and not tile.carry and case.schedule.rows != 1
            for case in drawn
            for tile in case.schedule.depthwise
        ),
        "vectors not filled": sum(
            tile.exact and stage.shape.channels % case.provider.lanes > 0
            for case in drawn
            for stage, tile in zip(
                [stage for stage in case.chain.stages if stage.kind is StageKind.DEPTHWISE],
                case.schedule.depthwise,
                strict=True,
            )
        ),
        "nested passes": sum(
            any(
                rows.passes > 1
                for rows in native.kernel_layout(case.chain, case.schedule, case.provider).flow.stages.values()
            )
            for case in drawn
        ),
        "whole images": sum(case.schedule.rows == 0 for case in drawn),
        "prefetch": sum(case.schedule.prefetch for case in drawn),
        "several outputs": sum(len(case.chain.outputs) > 1 for case in drawn),
        "clamped before the shortcut": sum(
            stage.kind is StageKind.ADD and case.chain.stage(stage.sources[0]).activation is not None
            for case in drawn
            for stage in case.chain.stages
        ),
        "stride 2": sum(2 in window.stride for window in windows),
        "dilation": sum(max(window.dilation) > 1 for window in windows),
        "dilation 4": sum(4 in window.dilation for window in windows),
        "taps left out": sum(clips(case.chain, stage) for case in drawn for stage in case.chain.stages),
        "a pixel added to an image": sum(
            is_added_pixel(case.chain, source)
            for case in drawn
            for stage in case.chain.stages
            for source in stage.sources
        ),
        **{how: sum(stage.coordinates is how for stage in stages) for how in Coordinates},
        "masks of bytes": sum(stage.dtype == "uint8" for stage in stages),
        "5x5": sum(window.kernel == (5, 5) for window in windows),
        "oblong windows": sum(window.kernel[0] != window.kernel[1] for window in windows),
        "asymmetric padding": sum(window.padding[0][0] != window.padding[0][1] for window in windows),
        "one pixel": sum(stage.shape.pixels == 1 for stage in stages),
        "channels beside the vector": sum(
            stage.shape.channels % case.provider.lanes > 0 for case in drawn for stage in case.chain.stages
        ),
        **{kind: sum(stage.kind is kind for stage in stages) for kind in StageKind},
    }
    print("\n", len(drawn), counts)
    assert min(counts.values()) >= 3, counts
