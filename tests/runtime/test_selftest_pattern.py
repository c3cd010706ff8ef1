"""The self-test's pattern: the vectorised Python twin against the generator written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.codegen.selftest import INCREMENT, MULTIPLIER, expected, selftest_input, selftest_source
from mnv2c.errors import CompilerError
from mnv2c.verification.tolerance import FLOAT32
from tests.runtime import fake


@given(st.integers(1, 300), st.integers(0, 3))
def test_it_is_the_generator(count: int, index: int) -> None:
    state, values = index + 1, []
    for _ in range(count):
        state = (state * MULTIPLIER + INCREMENT) % 2**32
        values.append(state)
    floats = selftest_input((count,), index=index)
    assert floats.dtype == np.float32
    assert floats.tolist() == [((value >> 8) - 2**23) / 2**23 for value in values]
    assert selftest_input((count,), "uint8", index).tolist() == [value >> 24 for value in values]
    assert floats.min() >= -1
    assert floats.max() < 1


def test_it_is_spread_over_the_range() -> None:
    values = selftest_input((1, 224, 224, 3))
    assert abs(float(values.mean())) < 0.01
    assert float(values.std()) == pytest.approx(3**-0.5, rel=0.01)


def test_other_types_are_refused() -> None:
    with pytest.raises(CompilerError, match="float16"):
        selftest_input((1,), "float16")


def test_integers_are_0_and_1_since_they_may_be_indices() -> None:
    for dtype in ("int32", "int64"):
        values = selftest_input((64,), dtype)
        assert values.dtype == dtype
        assert set(values.tolist()) == {0, 1}


def test_samples_are_spread_and_hold_the_largest() -> None:
    values = np.linspace(-1, 1, 1000).astype(np.float32)
    values[123] = -7
    found = expected(values)
    indices = [index for index, _ in found.samples]
    assert {0, 123, 999} <= set(indices)
    assert len(indices) == 9
    assert indices == sorted(set(indices))
    assert all(value == float(values[index]) for index, value in found.samples)
    assert found.tolerance == pytest.approx(7 * FLOAT32)


def test_integers_are_compared_exactly() -> None:
    assert expected(np.array([3, 900], np.int64)).tolerance == 0


def test_every_output_needs_samples() -> None:
    with pytest.raises(CompilerError, match="1 expected outputs for a program of 2"):
        selftest_source(fake.program(), "fake", [expected(np.zeros(3, np.float32))])
