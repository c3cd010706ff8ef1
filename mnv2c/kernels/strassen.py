"""Strassen's products of a 1x1 convolution: seven half-size products in place of eight, 12.5 % fewer multiplications.

Pixels are taken in pairs of register tiles, output channels in pairs of column tiles, and K in two halves: a product of
2 x 2 blocks. Winograd's variant (S. Winograd, "On multiplication of 2 x 2 matrices", 1971; V. Strassen, "Gaussian
elimination is not optimal", 1969) needs four sums of pixels, made once for all channels, four sums of weights, made
while compiling, and seven sums of results, of which six are made by going on with the same accumulators:

    S1 = A21 + A22   T1 = B12 - B11      C11 = A11 B11 + A12 B21
    S2 = S1 - A11    T2 = B22 - T1       U2  = A11 B11 + S2 T2      U3 = U2 + S3 T3     C21 = U3 - A22 T4
    S3 = A11 - A21   T3 = B22 - B12      U4  = U2 + S1 T1           C12 = U4 + S4 B22   C22 = U3 + U4 - U2
    S4 = A12 - S2    T4 = T2 - B21

A stage then stores seven quarters of its filter where it had four.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mnv2c.errors import ScheduleError
from mnv2c.kernels.packing import Array, MatrixPacking
from mnv2c.kernels.planes import Layout
from mnv2c.kernels.split import balanced_split
from mnv2c.plan.chain import Stage, StageKind

PRODUCTS = 7
"""Products of halves that replace eight."""
PIXEL_SUMS = 4
"""S1 to S4."""
KEPT = 3
"""Register tiles kept while the others are made: A11 B11, U2 and U3."""
NARROWEST = 4
"""Least float32 values of one vector of the sums of pixels."""
KINDS = frozenset({StageKind.EXPAND, StageKind.PROJECT, StageKind.POINTWISE})
"""Stages that may multiply so: 1x1 convolutions of more than one pixel."""


@dataclass(frozen=True)
class Halves:
    """The two halves of K in a plane: blocks of ``block`` values, ``stride`` apart; the second begins ``second`` later.

    Of K in the order of the weights, ``run`` values belong to the first half, the next ``run`` to the second.
    Any way to halve K will do. In a ring with an odd number of blocks the second half is the upper half of each.
    """

    block: int
    stride: int
    second: int
    run: int

    @classmethod
    def of(cls, plane: Layout, depth: int) -> Halves:
        """Halve the first ``depth`` channels of a plane; ScheduleError where no vector fits the halves."""
        blocks, rest = divmod(depth, plane.block)
        if blocks % 2 == 0:
            found = cls(plane.block, plane.block_stride, blocks // 2 * plane.block_stride, depth // 2)
        else:
            half = plane.block // 2
            found = cls(half, plane.block_stride, half, half)
        if rest or plane.block % 2 or found.block % NARROWEST:
            raise ScheduleError(f"{depth} channels have no halves of whole vectors")
        return found

    def lanes(self, most: int) -> int:
        """Return the largest vector of at most ``most`` values that cuts a block."""
        return next(lanes for lanes in (16, 8, NARROWEST) if lanes <= most and self.block % lanes == 0)


@dataclass(frozen=True, kw_only=True)
class StrassenPacking(MatrixPacking):
    """Layout of the weights: ``[bias of all][chunk]``, a chunk being ``[pair of column tiles][7][half of K][columns]``.

    Then follow the column tile without a partner and the tail, with all of K. ``halves`` are those of one chunk's K.
    Where output channels come in ``groups``, one after another, each has its own pairs and its own tile without one.
    """

    halves: Halves
    groups: int = 1

    @property
    def pairs(self) -> int:
        """Pairs of column tiles of a group."""
        return self.tiles // self.groups // 2

    @property
    def alone(self) -> tuple[tuple[int, ...], ...]:
        """The widths of a group's column tiles without a partner."""
        left_over = self.tiles // self.groups % 2
        return (*[self.columns] * left_over, *[self.tail] * bool(self.tail))

    @property
    def group_columns(self) -> int:
        """Output channels of a group."""
        return self.total_columns // self.groups

    @property
    def pair_elements(self) -> int:
        """Elements of one pair."""
        return PRODUCTS * self.depth // 2 * sum(self.columns)

    @property
    def separate_bias(self) -> int:
        """Elements of the bias: it is kept apart."""
        return self.total_columns

    @property
    def tile_rows(self) -> int:
        """Rows stored for a column tile that has no partner."""
        return self.depth

    @property
    def group_elements(self) -> int:
        """Elements of one group."""
        return self.pairs * self.pair_elements + self.depth * sum(map(sum, self.alone))

    @property
    def chunk_elements(self) -> int:
        """Elements of one chunk."""
        return self.groups * self.group_elements

    def pack(self, taps: Array, bias: Array) -> Array:
        """Pack a filter [1, 1, channels, outputs] and its bias [outputs]; the sums are made in float64."""
        outputs = bias.shape[0]
        matrix = np.zeros((self.padded, self.total_columns), np.float32)
        matrix[: self.channels, :outputs] = taps[0, 0]
        biases = np.zeros(self.total_columns, np.float32)
        biases[:outputs] = bias
        groups = [group for rows in np.split(matrix, self.chunks) for group in np.split(rows, self.groups, axis=1)]
        return np.concatenate([biases, *(part for group in groups for part in self._group(group))])

    def _group(self, rows: Array) -> Iterator[Array]:
        """Yield what is stored of a group's columns, and of a chunk of K."""
        start, width = 0, 2 * sum(self.columns)
        for _ in range(self.pairs):
            yield self._products(rows[:, start : start + width])
            start += width
        for widths in self.alone:
            yield rows[:, start : start + sum(widths)].ravel()
            start += sum(widths)

    def _products(self, rows: Array) -> Array:
        """Return the seven right sides of a pair of column tiles, in the order in which they are multiplied."""
        blocks = rows.astype(np.float64).reshape(-1, 2, self.halves.run, rows.shape[1])
        upper, lower = (blocks[:, half].reshape(self.depth // 2, -1) for half in range(2))
        (b11, b12), (b21, b22) = (np.split(half, 2, axis=1) for half in (upper, lower))
        t1 = b12 - b11
        t2, t3 = b22 - t1, b22 - b12
        right = (b11, b21, t2, t3, b21 - t2, t1, b22)
        return np.stack(right).astype(np.float32).ravel()


@dataclass(frozen=True)
class PairSpan:
    """``count`` pairs of register tiles from pixel ``start`` on: ``size`` pixels each, the second ``overlap`` fewer."""

    start: int
    size: int
    overlap: int
    count: int

    @property
    def pixels(self) -> int:
        """Pixels of one pair."""
        return 2 * self.size - self.overlap


def paired(extent: int, size: int) -> list[PairSpan]:
    """Cut ``extent`` pixels, at least two, into pairs of tiles of at most ``size``, as equal as possible.

    One pixel of the second tile of one pair may be the last of the first tile: it is computed twice and stored once.
    """
    pieces = -(-extent // size)
    small, larger = divmod(extent, pieces + pieces % 2)
    cuts = [(small + 1, 0, larger // 2), (small + 1, 1, larger % 2)]
    cuts.append((small, 0, (pieces + pieces % 2 - larger - larger % 2) // 2))
    found, start = [], 0
    for pixels, overlap, count in cuts:
        if count:
            found.append(PairSpan(start, pixels, overlap, count))
            start += count * found[-1].pixels
    return found


def check_strassen(stage: Stage, packing: MatrixPacking, in_flight: int) -> None:
    """Raise ScheduleError unless Strassen's products suit a stage, ``in_flight`` of whose channels exist at a time."""
    columns = sum(packing.columns)
    if stage.kind not in KINDS or not stage.window.is_pixel or stage.shape.columns < 2:
        raise ScheduleError(f"{stage.name} is no 1x1 convolution of several pixels, which Strassen's products need")
    if min(packing.tiles, (in_flight or packing.total_columns) // columns) < 2:
        raise ScheduleError(f"the columns of {stage.name} fill no pair of tiles of {columns}")


def work_elements(packing: StrassenPacking, pixels: int, pairs: int) -> int:
    """Elements of memory for the sums of ``pairs`` pairs of tiles of ``pixels``, and for what is kept of one."""
    return pixels * (pairs * PIXEL_SUMS * packing.depth // 2 + KEPT * sum(packing.columns))


def most_pairs(stage: Stage, pixels: int, by_columns: bool) -> int:
    """Return how many pairs have their sums of pixels at a time at the most: all of an image, or one."""
    if not by_columns:
        return 1
    rows, columns = stage.shape.rows, stage.shape.columns
    return max(pair_count(rows, columns, pixels, follow) for follow in (False, True))


def pair_count(rows: int, columns: int, pixels: int, follow: bool) -> int:
    """Return how many pairs of tiles of ``pixels`` cover rows that ``follow`` each other, or the same of two rows each.

    The last of an odd number of rows has pairs of its own.
    """
    if follow:
        return sum(span.count for span in paired(rows * columns, pixels))
    alone = rows % 2 * sum(span.count for span in paired(columns, pixels))
    return rows // 2 * sum(count for _, _, count in balanced_split(columns, pixels)) + alone


def is_by_columns(pooled: bool, prefetch: bool, whole: bool) -> bool:
    """Whether a pair of column tiles meets all pixels of an image before the next pair."""
    return pooled or (prefetch and whole)
