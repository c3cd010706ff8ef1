"""Where the rows of a tensor lie: the caller's NHWC tensors and the chain's rings, behind one way of addressing.

A plane stores channels in blocks: element (row, column, channel) lies at
``((channel // block · slots + slot(row)) · columns + left + column) · block + channel % block``.
An NHWC tensor is the plane whose block is all its channels, an NCHW one that whose blocks are single channels; a ring
for vector code has blocks of one vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, modulo


@dataclass(frozen=True)
class Layout:
    """Extent of a plane: ``slots`` rows of ``left + columns + right`` pixels, ``channels`` in blocks of ``block``."""

    slots: int
    columns: int
    channels: int
    block: int
    left: int = 0
    right: int = 0
    top: int = 0

    @property
    def width(self) -> int:
        """Pixels of a stored row, padding included."""
        return self.left + self.columns + self.right

    @property
    def blocks(self) -> int:
        """Number of channel blocks; the last one may be only partly used."""
        return -(-self.channels // self.block)

    @property
    def block_stride(self) -> int:
        """Elements between the same channel of neighbouring blocks."""
        return self.slots * self.width * self.block

    @property
    def elements(self) -> int:
        """Size of the plane in elements."""
        return self.blocks * self.block_stride


class Rows(Enum):
    """How rows are assigned to slots."""

    ALL = "every row has its own slot, r + top"
    STEP = "the rows of one step, which starts in slot 0"
    RING = "row r lies in slot r mod slots"
    SAME = "one pixel is that of every row and column"


@dataclass(frozen=True)
class Plane:
    """A layout in a buffer."""

    buffer: Buffer
    layout: Layout
    rows: Rows

    @property
    def joins(self) -> bool:
        """Whether the rows computed in one step lie in neighbouring slots."""
        return self.rows is not Rows.RING

    def slot(self, row: Index) -> Index:
        """Return the slot of a row; rows of the padding have one too, unless the plane is the caller's tensor."""
        layout = self.layout
        if self.rows is Rows.SAME:
            return 0
        return row + layout.top if self.rows is Rows.ALL else modulo(row, layout.slots)

    def row(self, k: KernelBuilder, row: Index) -> Index:
        """Return the element index of (row, column 0, channel 0), named once."""
        layout = self.layout
        return k.bind((self.slot(row) * layout.width + layout.left) * layout.block, "row")

    def pixel(self, column: Index) -> Index:
        """Return the distance in elements from column 0 to ``column`` within a row."""
        return 0 if self.rows is Rows.SAME else column * self.layout.block

    def channel(self, channel: Index) -> Index:
        """Return the distance in elements to ``channel``, which must start a block unless there is only one block."""
        layout = self.layout
        if layout.blocks == 1:
            return channel
        if isinstance(channel, int):
            return (channel // layout.block) * layout.block_stride + channel % layout.block
        return channel * (layout.block_stride // layout.block)
