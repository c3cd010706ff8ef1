"""AArch64's pointers: what code generation makes of them, for every register tile that a schedule may ask for."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c import targets
from mnv2c.codegen.inlined import definitions
from mnv2c.codegen.object import build_object
from mnv2c.errors import CompilerError
from mnv2c.kernels.ir import KernelBuilder
from mnv2c.kernels.microkernels import provider
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Weights, zero
from mnv2c.kernels.microkernels.cursor import Cursor, hidden
from mnv2c.plan.chain import Activation
from mnv2c.schedule.analytic import tiles
from tests.kernels import native

NEON = provider("float32", "neon")
BLOCK_STRIDE, DEPTH = 1024, 64
# Instructions that store a 128-bit register: (mask, bits). To the stack: STR, STUR, STP; ST1 of several, anywhere.
STACK_STORES = ((0xFFC003E0, 0x3D8003E0), (0xFFE00FE0, 0x3C8003E0), (0xFFC003E0, 0xAD0003E0), (0xFFFF0000, 0x4C000000))
LD1_POST_INDEX = (0xFFE00000, 0x4CC00000)


def tile_kernel(name: str, pixels: int, vectors: int, gap: int) -> Any:
    """A loop over tiles; the second half of each tile's pixels lies ``gap`` floats further away."""
    k = KernelBuilder(name)
    source, weights, result = (k.parameter(what, 1 << 16, "float32") for what in ("source", "weights", "result"))
    with k.loop(3, "pixels") as index:
        tile = MatrixTile(k, NEON, pixels, (NEON.lanes,) * vectors)
        tile.start(lambda *_: zero(NEON, NEON.lanes))
        distances = tuple(4 * pixel + (gap if 2 * pixel >= pixels else 0) for pixel in range(pixels))
        first = k.bind(index * (4 * pixels), "first")
        operand = Operand(source, tuple(first + far for far in distances), 4, BLOCK_STRIDE, distances)
        tile.accumulate(operand, Weights(weights, 0, 4 * vectors), DEPTH, NEON.ring_unroll)

        def store(pixel: int, offset: int, lanes: int, value: Any) -> None:
            clamped = NEON.clamp(k, value, lanes, Activation(0.0, 6.0))
            k.store(result, (index * pixels + pixel) * vectors * 4 + offset, clamped, lanes)

        tile.finish(store)
    return k.finish()


def text(content: bytes) -> Iterator[int]:
    """The instructions of an AArch64 object file."""
    table = struct.unpack_from("<Q", content, 40)[0]
    count = struct.unpack_from("<H", content, 60)[0]
    for index in range(count):
        _, _, flags, _, offset, size = struct.unpack_from("<IIQQQQ", content, table + 64 * index)
        if flags & 4:  # executable
            yield from struct.unpack_from(f"<{size // 4}I", content, offset)


def matches(word: int, pattern: tuple[int, int]) -> bool:
    return word & pattern[0] == pattern[1]


@pytest.mark.parametrize("target", ["cortex-a76", pytest.param("cortex-a53", marks=pytest.mark.slow)])
def test_no_tile_spills(target: str) -> None:
    """LLVM fails where it finds no neighbouring registers, and stores accumulators where it finds too few."""
    kernels = {}
    for tile in tiles(NEON):
        name = f"tile_{tile.pixels}x{tile.vectors}"
        kernels[name] = tile_kernel(name, tile.pixels, tile.vectors, 8 * ((tile.pixels + tile.vectors) % 2))
    words = list(text(build_object(kernels, targets.load(target)).content))
    assert sum(matches(word, LD1_POST_INDEX) for word in words) > 10 * len(kernels)
    assert not [hex(word) for word in words if any(matches(word, pattern) for pattern in STACK_STORES)]


def test_loads_per_product() -> None:
    """A 7 x 3 tile: per value of K one LD1 of weights, and two per four values of K for the pixels."""
    words = list(text(build_object({"tile": tile_kernel("tile", 7, 3, 0)}, targets.load("cortex-a76")).content))
    assert sum(matches(word, LD1_POST_INDEX) for word in words) == NEON.ring_unroll * 3 // 2


@pytest.mark.parametrize("gap", [0, 8])
@pytest.mark.parametrize(("pixels", "vectors"), [(1, 1), (7, 3), (9, 2), (3, 6), (1, 13)])
def test_tiles_compute_products(pixels: int, vectors: int, gap: int, tmp_path: Path) -> None:
    library = native.load({"tile": tile_kernel("tile", pixels, vectors, gap)}, tmp_path)
    random = np.random.default_rng(0)
    source, weights = (random.standard_normal(1 << 16).astype(np.float32) for _ in range(2))
    found = np.zeros(1 << 16, np.float32)
    library.tile(*(ctypes.c_void_p(array.ctypes.data) for array in (source, weights, found)))
    matrix = weights[: DEPTH * 4 * vectors].reshape(DEPTH, -1).astype(np.float64)
    blocks = np.arange(DEPTH) // 4 * BLOCK_STRIDE + np.arange(DEPTH) % 4
    for index in range(3):
        for pixel in range(pixels):
            values = source[blocks + 4 * (index * pixels + pixel) + (gap if 2 * pixel >= pixels else 0)]
            start = (index * pixels + pixel) * 4 * vectors
            expected = np.clip(values @ matrix, 0, 6)
            np.testing.assert_allclose(found[start : start + 4 * vectors], expected, rtol=1e-5, atol=1e-5)


def test_a_cursor_moves_by_what_it_takes_or_by_a_step(tmp_path: Path) -> None:
    k = KernelBuilder("walk")
    source, out = (k.parameter(name, 64, "float32") for name in ("source", "out"))
    cursor = Cursor(k, source, 4)
    taken = [*cursor.take(3), *cursor.take(1, hidden(k, 12)), *cursor.take(2)]
    for index, value in enumerate(taken):
        k.store(out, index * 4, value, 4)
    values, found = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    library = native.load({"walk": k.finish()}, tmp_path)
    library.walk(ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(found.ctypes.data))
    assert found[:24].tolist() == [*range(4, 20), *range(28, 36)]


def test_a_function_that_nobody_defines() -> None:
    with pytest.raises(CompilerError, match="a kernel calls mnv2c_fetch_3, which nobody defines"):
        definitions(["mnv2c_fetch_3"], "aarch64")
