"""The working memory of a resize stage: one source row between two others, and what is known of every output column."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Chain, Stage
from mnv2c.plan.resampling import Axis

MOST_VECTORS = 4
"""Vectors of neighbouring outputs whose classes are compared together; each needs three registers."""


@dataclass(frozen=True)
class Resizing:
    """Where in its working memory a resize keeps what, in elements; ``labels`` are of the argmax that is fused with it.

    ``weights`` says of every output column how much of the right input it has, ``row`` is the interpolated source row,
    ``slopes`` the differences of its neighbouring columns. Outputs are computed in blocks of ``block``, cut into
    vectors of ``lanes``; the last of a segment may reach beyond its end, where the next one writes over it.
    """

    rows: Axis
    columns: Axis
    channels: int
    block: int
    lanes: int
    argmax: bool

    @property
    def padded(self) -> int:
        """Output columns, and those beyond the end that are written by a whole block."""
        return self.columns.outputs + self.block

    @property
    def weights(self) -> int:
        """First element of the weights."""
        return 0

    @property
    def row(self) -> int:
        """First element of the row."""
        return self.padded

    @property
    def slopes(self) -> int:
        """First element of the slopes."""
        return self.row + self.columns.inputs * self.channels

    @property
    def labels(self) -> int:
        """First element of the labels."""
        return self.slopes + self.columns.segments * self.channels

    @property
    def elements(self) -> int:
        """Elements of the whole memory."""
        return self.labels + (self.padded if self.argmax else 0)


def resizing(chain: Chain, stage: Stage, provider: Provider, argmax: bool) -> Resizing:
    """Lay out the working memory of a resize stage."""
    rows, columns = chain.axes(stage)
    block = _block(columns.longest, provider.lanes)
    return Resizing(rows, columns, stage.shape.channels, block, min(block, provider.lanes), argmax)


def _block(segment: int, lanes: int) -> int:
    """Return the block, a power of two, that cuts a segment with the fewest vector operations; 4 or more."""
    sizes = [1 << bit for bit in range(2, (MOST_VECTORS * lanes).bit_length())]

    def operations(size: int) -> tuple[int, int]:
        return -(-segment // size) * (4 * -(-size // lanes) + 2), size

    return min(sizes, key=operations)
