"""Packed weights against an element-by-element reading of the documented layouts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.kernels.packing import DepthwisePacking, MatrixPacking

extents = st.integers(1, 3)


@given(
    taps=st.tuples(extents, extents),
    channels=st.integers(1, 9),
    tiles=st.integers(0, 3),
    vectors=st.integers(1, 3),
    tail=st.sampled_from([(), (4,), (2, 1), (4, 2)]),
    missing=st.integers(0, 2),
    padding=st.integers(0, 3),
)
def test_a_matrix_is_stored_tile_by_tile(
    taps: tuple[int, int], channels: int, tiles: int, vectors: int, tail: tuple[int, ...], missing: int, padding: int
) -> None:
    if not tiles and not tail:
        tail = (4,)
    packing = MatrixPacking(taps, channels, channels + padding, tiles, (4,) * vectors, tail)
    outputs = packing.total_columns - min(missing, packing.total_columns - 1)
    values = np.random.default_rng(0)
    weights = values.standard_normal((*taps, channels, outputs)).astype(np.float32)
    bias = values.standard_normal(outputs).astype(np.float32)
    packed = list(packing.pack(weights, bias))
    assert len(packed) == packing.elements
    assert packing.depth == taps[0] * taps[1] * (channels + padding)
    widths = [4 * vectors] * tiles + ([sum(tail)] if tail else [])
    first = 0
    for width in widths:
        for column in range(first, first + width):
            real = column < outputs
            assert packed[column - first] == (bias[column] if real else 0)
        del packed[:width]
        for row, tap, channel in np.ndindex(*taps, channels + padding):
            for column in range(first, first + width):
                real = column < outputs and channel < channels
                assert packed[column - first] == (weights[row, tap, channel, column] if real else 0)
            del packed[:width]
        first += width
    assert packed == []


@given(
    chunks=st.integers(2, 4), per_chunk=st.integers(1, 3), tiles=st.integers(0, 2), tail=st.sampled_from([(4,), (2, 1)])
)
def test_a_chunked_matrix_keeps_its_bias_apart(chunks: int, per_chunk: int, tiles: int, tail: tuple[int, ...]) -> None:
    depth = 4 * per_chunk
    packing = MatrixPacking((1, 1), depth * chunks - 1, depth * chunks, tiles, (4, 4), tail, chunks)
    values = np.random.default_rng(1)
    outputs = packing.total_columns
    weights = values.standard_normal((1, 1, packing.channels, outputs)).astype(np.float32)
    bias = values.standard_normal(outputs).astype(np.float32)
    packed = packing.pack(weights, bias)
    assert packed.size == packing.elements == packing.separate_bias + chunks * packing.chunk_elements
    assert np.array_equal(packed[:outputs], bias)
    at = outputs
    for chunk in range(chunks):
        first = 0
        for width in [8] * tiles + [sum(tail)]:
            for channel in range(chunk * depth, (chunk + 1) * depth):
                row = weights[0, 0, channel, first : first + width] if channel < packing.channels else 0
                assert np.array_equal(packed[at : at + width], np.zeros(width, np.float32) + row)
                at += width
            first += width
    assert at == packed.size


@given(taps=st.tuples(extents, extents), channels=st.integers(1, 20), lanes=st.sampled_from([4, 8, 16]))
def test_a_depthwise_filter_is_stored_vector_by_vector(taps: tuple[int, int], channels: int, lanes: int) -> None:
    packing = DepthwisePacking(taps[0] * taps[1], -(-channels // lanes), lanes)
    values = np.random.default_rng(2)
    weights = values.standard_normal((*taps, 1, channels)).astype(np.float32)
    bias = values.standard_normal(channels).astype(np.float32)
    packed = packing.pack(weights, bias)
    assert packed.size == packing.elements
    for block in range(packing.blocks):
        for index, lane in np.ndindex(packing.taps + 1, lanes):
            channel = block * lanes + lane
            found = packed[block * packing.block_elements + index * lanes + lane]
            wanted = bias[min(channel, channels - 1)] if index == 0 else weights.reshape(-1, channels)[
                index - 1, min(channel, channels - 1)]  # fmt: skip
            assert found == (wanted if channel < channels else 0)
