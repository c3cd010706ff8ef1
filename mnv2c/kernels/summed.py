"""Products of sums in 1x1 convolutions: for every two products one multiplication and two additions.

S. Winograd, "A new algorithm for inner product" (IEEE Transactions on Computers C-17, 1968): for two values of K,

    a1 b1 + a2 b2 = (a1 + b2) (a2 + b1) - a1 a2 - b1 b2

where the last two products, summed over all pairs of K, are one number per pixel and one per output channel. On a CPU
that adds in units of its own beside those that multiply, a third of K multiplied as usual keeps both busy: three
products take two multiplications and two additions, half as many again as the peak of multiply-adds allows.

A sum of two numbers loses what is small beside the other. So a pixel's values are divided by a power of two near their
root mean square while the kernel runs, and the weights of an output channel by one near theirs; both factors return
when a sum is complete.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnv2c.errors import ScheduleError
from mnv2c.kernels.packing import Array, MatrixPacking
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.strassen import KINDS
from mnv2c.plan.chain import Stage

FACTORS = 2
"""Rows stored before a column tile's weights: what its sums start with, and what they are multiplied by."""
GROUP = 3
"""Values of K that are multiplied together: a pair, and one as usual."""
VECTORS = (16, 8, 4)
"""Float32 values of the vectors that pixels may be divided in."""
COVERED = 0.9
"""Share of K in groups that is enough to divide pixels in longer vectors."""


@dataclass(frozen=True)
class Thirds:
    """K cut into three runs of ``run`` values, of which the first two are paired, and a rest; all by ``lanes``."""

    run: int
    lanes: int

    @classmethod
    def of(cls, depth: int, block: int, most: int) -> Thirds:
        """Cut ``depth`` values that lie in blocks of ``block``, by vectors of at most ``most``; ScheduleError."""
        fitting = [lanes for lanes in VECTORS if lanes <= most and depth % lanes == 0 and block % lanes == 0]
        found = [cls(depth // (GROUP * lanes) * lanes, lanes) for lanes in fitting]
        found = [thirds for thirds in found if thirds.run]
        if not found:
            raise ScheduleError(f"{depth} channels in blocks of {block} have no thirds of whole vectors")
        enough = (thirds for thirds in found if GROUP * thirds.run >= COVERED * depth)
        return next(enough, max(found, key=lambda thirds: thirds.run))

    def order(self, depth: int) -> Array:
        """Return the values of K in the order of the weights: groups, then the rest."""
        groups = np.arange(GROUP * self.run).reshape(GROUP, self.run).T.ravel()
        return np.concatenate([groups, np.arange(GROUP * self.run, depth)])


def groups_at_once(unroll: int, thirds: Thirds) -> int:
    """Return the groups of K per iteration that ``unroll`` values ask for: a power of two, since blocks of K are."""
    return min(1 << max(1, unroll // GROUP).bit_length() - 1, thirds.lanes)


@dataclass(frozen=True, kw_only=True)
class SummedPacking(MatrixPacking):
    """Layout of the weights: a column tile is ``[bias][start][factor][K][columns]``; the bias is apart with chunks."""

    thirds: Thirds

    @property
    def tile_rows(self) -> int:
        """Rows stored per column tile."""
        return super().tile_rows + FACTORS

    def stored(self, rows: Array) -> Array:
        """Divide every channel's weights by its factor; the starts are sums in float64."""
        run = self.thirds.run
        squares = np.mean(np.square(rows, dtype=np.float64), axis=0)
        powers = np.round(np.log2(squares, out=np.zeros_like(squares), where=squares > 0) / 2)
        factors = np.exp2(powers).astype(np.float32)
        divided = rows / factors
        start = -np.sum(divided[:run].astype(np.float64) * divided[run : 2 * run], axis=0)
        return np.concatenate([start[None].astype(np.float32), factors[None], divided[self.thirds.order(self.depth)]])


def check_summed(stage: Stage) -> None:
    """Raise ScheduleError unless products of sums suit a stage."""
    if stage.kind not in KINDS or not stage.window.is_pixel or stage.shape.columns < 2:
        raise ScheduleError(f"{stage.name} is no 1x1 convolution of several pixels, which products of sums need")


def tile_elements(packing: SummedPacking, pixels: int) -> int:
    """Elements of memory for the divided pixels of a register tile: for each a sum, and what it was divided by."""
    return pixels * (packing.depth + 2)


def most_tiles(stage: Stage, pixels: int, rows: int, by_columns: bool) -> int:
    """Return how many register tiles of ``pixels`` are divided before products begin: those of ``rows``, or one."""
    if not by_columns:
        return 1
    columns = stage.shape.columns
    return max(_count(rows * columns, pixels), rows * _count(columns, pixels))


def _count(extent: int, size: int) -> int:
    return sum(count for _, _, count in balanced_split(extent, size))


def is_by_columns(pooled: bool, prefetch: bool, in_chunks: bool) -> bool:
    """Whether a column tile meets all pixels of a span before the next one; always where channels come in chunks."""
    return pooled or prefetch or in_chunks
