"""Both padding conventions against a brute-force count of the positions of the kernel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.spec.padding import CONVENTIONS, output_size, symmetric, tf_same

SIZES = st.integers(1, 300)
KERNELS = st.sampled_from([1, 3, 5, 7])
STRIDES = st.integers(1, 2)
DILATIONS = st.integers(1, 6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(size=SIZES, kernel=KERNELS, stride=STRIDES, dilation=DILATIONS)
def test_output_size(convention: str, size: int, kernel: int, stride: int, dilation: int) -> None:
    before, after = CONVENTIONS[convention](size, kernel, stride, dilation)
    positions = [
        first for first in range(-before, size + after, stride) if first + dilation * (kernel - 1) <= size + after - 1
    ]
    assert output_size(size, kernel, stride, dilation, (before, after)) == len(positions) == -(-size // stride)


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, dilation=DILATIONS)
def test_tf_same_pads_no_more_than_needed(size: int, kernel: int, stride: int, dilation: int) -> None:
    before, after = tf_same(size, kernel, stride, dilation)
    assert 0 <= after - before <= 1
    wanted = -(-size // stride)
    if after:
        assert output_size(size, kernel, stride, dilation, (before, after - 1)) < wanted


@given(size=SIZES, kernel=KERNELS, dilation=DILATIONS)
def test_conventions_agree_at_stride_1(size: int, kernel: int, dilation: int) -> None:
    assert symmetric(size, kernel, 1, dilation) == tf_same(size, kernel, 1, dilation)


def test_stride_2() -> None:
    assert tf_same(224, 3, 2, 1) == (0, 1)
    assert tf_same(225, 3, 2, 1) == (1, 1)
    assert symmetric(224, 3, 2, 1) == (1, 1)
