"""float32 on AArch64: LD1 fills up to four registers, and moves its pointer on, in one instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, Register, Value
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Weights
from mnv2c.kernels.microkernels.cursor import MOST, Cursor, hidden
from mnv2c.kernels.microkernels.neon import ByElementProvider


@dataclass(frozen=True)
class StreamedProvider(ByElementProvider):
    """The tiles of AArch64: pixels in blocks of one vector and weights come by LD1, up to four registers at a time."""

    def stream(
        self, k: KernelBuilder, tile: MatrixTile, operand: Operand, weights: Weights, depth: int, unroll: int
    ) -> bool:
        """Walk pixels and weights with pointers of their own, if all vectors are whole."""
        if operand.block != self.lanes or depth % self.lanes or set(tile.widths) != {self.lanes}:
            return False
        step, blocks = max(1, unroll // self.lanes), depth // self.lanes
        rows = Cursor(k, weights.buffer, weights.base)
        runs = [_Run(k, operand, first, count) for first, count in _neighbours(operand)]
        with k.loop(blocks // step, "blocks"):
            for _ in range(step if blocks >= step else 0):
                self._block(k, tile, rows, runs)
        for _ in range(blocks % step):
            self._block(k, tile, rows, runs)
        return True

    def _block(self, k: KernelBuilder, tile: MatrixTile, rows: Cursor, runs: list[_Run]) -> None:
        """Accumulate one block of K: weights are loaded when the products of those before are done.

        The registers would not hold both. CPUs that run out of order overlap them all the same.
        """
        pixels = [value for run in runs for value in run.take()]
        vectors, together = len(tile.widths), self._rows_together(tile)
        for first in range(0, self.lanes, together):
            loaded: list[Value] = []
            while len(loaded) < together * vectors:
                loaded += rows.take(min(MOST, together * vectors - len(loaded)))
            for lane in range(first, first + together):
                row = loaded[(lane - first) * vectors :][:vectors]
                for pixel, value in enumerate(pixels):
                    tile.add_product(pixel, lambda lanes, v=value, e=lane: k.lane(v, e, lanes), row)  # type: ignore[misc]
            rows.wait(tile.accumulators)
        for run in runs:
            run.cursor.wait(tile.accumulators)

    def _rows_together(self, tile: MatrixTile) -> int:
        """Rows of weights that one load brings, where the tile is narrow enough and leaves the registers."""
        vectors = len(tile.widths)
        free = self.registers - 1 - tile.pixels * (vectors + 1)
        return max(rows for rows in (1, 2, self.lanes) if rows == 1 or rows * vectors <= min(MOST, free))

    def has_window(self, count: int, taps: int) -> bool:
        """Sums, weights, the bias, and the pixels of two loads."""
        return count + taps + 1 + 2 * MOST <= self.registers

    def window(
        self,
        k: KernelBuilder,
        buffer: Buffer,
        bases: Sequence[Index],
        weights: Mapping[tuple[int, int], Value],
        starts: Sequence[Value],
        stride: int,
    ) -> list[Value]:
        """Walk the rows by pointers; a load is asked for while the pixels of the one before are used."""
        columns = 1 + max(column for _, column in weights)
        cursors = [Cursor(k, buffer, base) for base in bases]
        sums = [k.register(self.dtype, self.lanes) for _ in starts]
        for register, start in zip(sums, starts, strict=True):
            register.set(start)
        pixels = (len(starts) - 1) * stride + columns
        firsts = range(0, pixels, MOST)
        chunks = [_Chunk(row, first, min(MOST, pixels - first)) for row in range(len(bases)) for first in firsts]
        ahead = cursors[0].take(chunks[0].count)
        for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
            values = ahead
            if following is not None:
                cursors[following.row].wait(sums)
                ahead = cursors[following.row].take(following.count)
            self._add_pixels(k, chunk, values, weights, sums, stride)
        return [k.bind(register.get(), "sum") for register in sums]

    def _add_pixels(
        self,
        k: KernelBuilder,
        chunk: _Chunk,
        values: Sequence[Value],
        weights: Mapping[tuple[int, int], Value],
        sums: Sequence[Register],
        stride: int,
    ) -> None:
        """Add the products of a chunk to the sums of all neighbours that see it."""
        for (row, column), weight in weights.items():
            for place, value in enumerate(values if row == chunk.row else ()):
                pixel, rest = divmod(chunk.first + place - column, stride)
                if rest == 0 and 0 <= pixel < len(sums):
                    total = k.fma(value, weight, sums[pixel].get(), self.dtype, self.lanes)
                    sums[pixel].set(total)


@dataclass(frozen=True)
class _Chunk:
    """Pixels of one row that come by one load: ``count`` from ``first`` on."""

    row: int
    first: int
    count: int


class _Run:
    """Neighbouring pixels of a tile, and the pointer that walks through their blocks of K."""

    def __init__(self, k: KernelBuilder, operand: Operand, first: int, count: int) -> None:
        self.cursor = Cursor(k, operand.buffer, operand.bases[first])
        self._counts = [min(MOST, count - start) for start in range(0, count, MOST)]
        self._step = hidden(k, operand.block_stride - sum(self._counts[:-1]) * operand.block)

    def take(self) -> list[Value]:
        """Load one block of K of every pixel."""
        values = [value for count in self._counts[:-1] for value in self.cursor.take(count)]
        return values + self.cursor.take(self._counts[-1], self._step)


def _neighbours(operand: Operand) -> list[tuple[int, int]]:
    """Cut the pixels into runs that lie next to each other: (first, count)."""
    gaps = [after - before != operand.block for before, after in pairwise(operand.distances)]
    firsts = [0, *(pixel + 1 for pixel, gap in enumerate(gaps) if gap)]
    return [(first, end - first) for first, end in pairwise([*firsts, len(operand.bases)])]


NEON_FLOAT32 = StreamedProvider(
    "neon",
    "float32",
    lanes=4,
    registers=32,
    unroll=4,
    ring_unroll=16,
    gathers=True,
    prefetches=False,
    loads_bias=True,
    depthwise_pixels=7,
    depthwise_group=2,
    strided_group=1,
)
