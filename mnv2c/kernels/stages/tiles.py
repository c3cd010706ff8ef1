"""What the emitters of matrix stages walk: tiles of pixels and of columns, and what is read after them."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Buffer, Index
from mnv2c.kernels.packing import MatrixPacking


@dataclass(frozen=True)
class Pixel:
    """The first pixel of a register tile, in rows and columns from the first of the span."""

    row: Index
    column: Index


@dataclass(frozen=True)
class ColumnTile:
    """One column tile: its vector widths, its first output channel, and where its bias and weights start."""

    widths: tuple[int, ...]
    channel: Index
    bias: Index
    weights: Index
    elements: int


@dataclass(frozen=True)
class Following:
    """The chunked stage that reads this one's result next: its weights, fetched while this stage computes a chunk."""

    weights: Buffer
    packing: MatrixPacking
