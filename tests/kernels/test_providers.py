"""What the schedule may ask of a provider."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c import targets
from mnv2c.errors import TargetError
from mnv2c.kernels.microkernels import PROVIDERS, provider, provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.split import balanced_split

providers = st.sampled_from(list(PROVIDERS.values()))


@given(providers, st.integers(0, 200))
def test_widths_cover_the_channels_with_few_powers_of_two(unit: Provider, channels: int) -> None:
    widths = unit.widths(channels)
    assert sum(widths) == channels
    assert list(widths) == sorted(widths, reverse=True)
    assert all(width & (width - 1) == 0 and width <= unit.lanes for width in widths)
    tail = [width for width in widths if width < unit.lanes]
    assert len(set(tail)) == len(tail)


@given(providers, st.integers(1, 40), st.integers(1, 40))
def test_a_tile_that_fits_leaves_room_for_its_operands(unit: Provider, pixels: int, vectors: int) -> None:
    if unit.fits(pixels, vectors):
        assert pixels * vectors + vectors < unit.registers
        assert unit.fits(max(1, pixels - 1), vectors) and unit.fits(pixels, max(1, vectors - 1))
        assert unit.loads(pixels, vectors) >= vectors


@pytest.mark.parametrize("unit", PROVIDERS.values(), ids=lambda unit: unit.name)
def test_the_depthwise_defaults_can_be_used(unit: Provider) -> None:
    assert 1 <= unit.depthwise_group <= unit.depthwise_pixels
    assert unit.unroll >= 1
    assert provider(unit.dtype, unit.name) is unit


def test_products_broadcast_their_own_pixel_where_loads_outnumber_them() -> None:
    zen, xeon = (provider_for("float32", targets.load(name)) for name in ("znver4", "sapphirerapids"))
    assert [unit.loads(14, 1) for unit in (zen, xeon)] == [1, 15]
    assert [unit.loads(7, 3) for unit in (zen, xeon)] == [10, 10]
    assert provider_for("float32", targets.load("cortex-a76")) is provider("float32", "neon")


def test_an_unknown_instruction_set() -> None:
    with pytest.raises(TargetError, match=r"no kernels for float32 on sve; there are kernels for avx512 \(float32\)"):
        provider("float32", "sve")


@given(st.integers(1, 300), st.integers(1, 40))
def test_spans_are_few_and_nearly_equal(extent: int, size: int) -> None:
    pieces = balanced_split(extent, size)
    assert len(pieces) <= 2
    sizes = [piece for _, piece, count in pieces for _ in range(count)]
    starts = [start + piece * index for start, piece, count in pieces for index in range(count)]
    assert starts == [sum(sizes[:index]) for index in range(len(sizes))]
    assert sum(sizes) == extent
    assert len(sizes) == -(-extent // size)
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1
