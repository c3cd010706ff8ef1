"""Rounding of channels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.spec.channels import last_channels, make_divisible, scaled
from mnv2c.spec.table2 import STEM_CHANNELS, TABLE2

# Stem and the seven lines of Table 2, then the last convolution, as the published checkpoints have them.
PUBLISHED = {
    0.35: (16, 8, 8, 16, 24, 32, 56, 112, 1280),
    0.5: (16, 8, 16, 16, 32, 48, 80, 160, 1280),
    0.75: (24, 16, 24, 24, 48, 72, 120, 240, 1280),
    1.0: (32, 16, 24, 32, 64, 96, 160, 320, 1280),
    1.3: (40, 24, 32, 40, 80, 128, 208, 416, 1664),
    1.4: (48, 24, 32, 48, 88, 136, 224, 448, 1792),
}


@pytest.mark.parametrize("width", PUBLISHED)
def test_published_channels(width: float) -> None:
    channels = (STEM_CHANNELS, *(row.c for row in TABLE2))
    assert (*(scaled(c, width) for c in channels), last_channels(width)) == PUBLISHED[width]


@given(st.floats(0, 1e6), st.sampled_from([4, 8, 16]))
def test_multiple_never_below_90_percent(channels: float, divisor: int) -> None:
    rounded = make_divisible(channels, divisor)
    assert rounded % divisor == 0 or rounded == 8
    assert rounded >= max(8, 0.9 * channels)
    assert rounded <= max(8, channels + divisor)


@given(st.integers(1, 100_000))
def test_multiples_stay(eighths: int) -> None:
    assert make_divisible(8 * eighths) == 8 * eighths


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_never_decreases(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert make_divisible(low) <= make_divisible(high)
