"""The measure of agreement itself."""

import math

import numpy as np
import pytest

from mnv2c.verification.tolerance import FLOAT32, relative_error


def test_it_is_relative_to_the_largest_reference() -> None:
    reference = np.array([0.0, -200.0, 1.0], np.float32)
    assert relative_error(reference + np.float32(1.0), reference) == pytest.approx(1 / 200)
    assert relative_error(reference, reference) == 0.0
    assert FLOAT32 == 1e-4


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_agrees(bad: float) -> None:
    good = np.ones(3, np.float32)
    spoilt = np.array([1.0, bad, 1.0], np.float32)
    assert relative_error(spoilt, good) == math.inf
    assert relative_error(good, spoilt) == math.inf


def test_zeros() -> None:
    zero = np.zeros(2, np.float32)
    assert relative_error(zero, zero) == 0.0
    assert relative_error(zero + np.float32(1e-30), zero) == math.inf
