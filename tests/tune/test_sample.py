"""What candidates are compared with."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from mnv2c.plan.chain import StageKind
from mnv2c.tune.measure.reference import evaluate
from mnv2c.tune.measure.sample import expected_of, inputs_of, weights_of
from tests.kernels import chains
from tests.kernels import reference as plainest


@pytest.mark.parametrize("family", chains.FAMILIES)
def test_the_reference_agrees_with_the_plainest_one(family: str) -> None:
    chain = chains.chain(Random(f"sample {family}"), family)
    inputs, weights = inputs_of(chain), weights_of(chain)
    found, wanted = evaluate(chain, inputs, weights), plainest.evaluate(chain, inputs, weights)
    for stage in chain.stages:
        if stage.kind is StageKind.ARGMAX:
            assert np.mean(found[stage.name] == wanted[stage.name]) > 0.99
        else:
            np.testing.assert_allclose(found[stage.name], wanted[stage.name], rtol=1e-5, atol=1e-5)
    for content, name in zip(expected_of(chain), chain.outputs, strict=True):
        stage = chain.stage(name)
        assert len(content) == stage.shape.elements * np.dtype(stage.dtype).itemsize


def test_weights_are_the_same_in_every_process() -> None:
    chain = chains.chain(Random(1), "bottleneck")
    first = {name: taps.copy() for name, (taps, _) in weights_of(chain).items()}
    weights_of.cache_clear()
    assert first.keys() == weights_of(chain).keys()
    assert all(np.array_equal(taps, weights_of(chain)[name][0]) for name, taps in first.items())
