"""Seeded weights: reproducible, independent of order, and sane."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from mnv2c.spec import load
from mnv2c.weights import check, expected, random_weights
from mnv2c.weights.random import _relu6_moments, _relu_moments, uniform

SMALL = load("mobilenet_v2", width=0.35, resolution=64, classes=100)
PINNED = [0.1410353183746338, 0.8729910850524902, 0.41716301441192627]
PINNED_DIGEST = "efe83617a2877ebd"  # of all tensors of SMALL, seed 0


@pytest.mark.parametrize("changes", [{}, {"shortcut": "expansion"}, {"expansion": 1}, {"rows": ((1, 8, 2, 2),)}])
def test_complete_and_in_order(changes: dict) -> None:
    spec = replace(SMALL, **changes)
    weights = random_weights(spec, 7)
    assert sorted(weights) == sorted(expected(spec))
    check(weights, spec)


def test_equal_for_equal_seeds_only() -> None:
    one, same, other = (random_weights(SMALL, seed) for seed in (0, 0, 1))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, same[name])
    assert any((tensor != other[name]).any() for name, tensor in one.items())
    assert not np.array_equal(one["block_5.expand.weight"], other["block_5.expand.weight"])


def test_a_tensor_depends_on_its_name_only() -> None:
    """A model of other size shares the weights of equal shape; no stream is shared between tensors."""
    one, other = random_weights(SMALL, 3), random_weights(replace(SMALL, classes=5, height=96, shortcut="none"), 3)
    np.testing.assert_array_equal(one["block_17.project.weight"], other["block_17.project.weight"])
    assert not np.array_equal(one["block_5.expand.weight"], one["block_6.expand.weight"])


def test_values_are_pinned_for_every_platform() -> None:
    assert uniform(0, "stem.weight", (3,), -1, 1).tolist() == PINNED
    digest = hashlib.sha256()
    for tensor in random_weights(SMALL, 0).values():
        digest.update(tensor.astype("<f4").tobytes())
    assert digest.hexdigest()[:16] == PINNED_DIGEST


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.5), (2.5, 2.5), (6.0, 1.0), (-1.0, 0.5)])
def test_moments_of_relu6(mean: float, deviation: float) -> None:
    clipped = np.clip(np.random.default_rng(0).normal(mean, deviation, 1_000_000), 0, 6)
    assert _relu6_moments(mean, deviation) == pytest.approx((clipped.mean(), clipped.var()), abs=0.02)


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.5), (2.5, 2.5), (-1.0, 0.5)])
def test_moments_of_relu(mean: float, deviation: float) -> None:
    clipped = np.clip(np.random.default_rng(0).normal(mean, deviation, 1_000_000), 0, None)
    assert _relu_moments(mean, deviation) == pytest.approx((clipped.mean(), clipped.var()), abs=0.02)


PINNED_HEADS = {"ssdlite_mobilenet_v2": "450a268753357de8", "deeplabv3_mobilenet_v2": "779b8315381ed378"}


@pytest.mark.parametrize("name", PINNED_HEADS)
def test_heads_are_pinned_for_every_platform(name: str) -> None:
    spec = load(name, width=0.35, resolution=64)
    weights = random_weights(spec, 0)
    check(weights, spec)
    digest = hashlib.sha256()
    for tensor in weights.values():
        digest.update(tensor.astype("<f4").tobytes())
    assert digest.hexdigest()[:16] == PINNED_HEADS[name]


def test_statistics_are_positive_and_bounded() -> None:
    weights = random_weights(load("mobilenet_v2"), 0)
    for name, tensor in weights.items():
        if name.endswith(".variance"):
            assert 1e-3 < tensor.min() and tensor.max() < 100
        assert np.abs(tensor).max() < 100
