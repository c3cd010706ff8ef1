"""Weights in the order the kernels read them, bias first, packed while compiling.

A matrix stage is cut into column tiles; each is stored as ``[bias][K][columns]``, K running over window rows, window
columns and input channels. A chunked projection keeps its bias apart, because its partial sums start once and are
then accumulated chunk by chunk: ``[bias of all][chunk][tile][K of the chunk][columns]``. A depthwise stage stores
``[bias][taps]`` per vector of channels. Padded channels have zero weights and zero bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MatrixPacking:
    """Layout of a matrix stage's weights: ``tiles`` column tiles of ``columns``, then one of ``tail`` columns.

    ``depth`` is K, ``padded`` the number of input channels after padding to whole vectors; ``chunks`` > 1 splits K.
    ``columns`` and ``tail`` are the tiles' vector widths. Sums begin with the bias if ``bias_first``, else it is added
    last; with ``bias_rows`` > 1 it is stored once per pixel of the register tile, whose accumulators are loaded from
    it.
    """

    taps: tuple[int, int]
    channels: int
    padded: int
    tiles: int
    columns: tuple[int, ...]
    tail: tuple[int, ...]
    chunks: int = 1
    bias_rows: int = 1
    bias_first: bool = False

    @property
    def depth(self) -> int:
        """K of one chunk."""
        return self.taps[0] * self.taps[1] * self.padded // self.chunks

    @property
    def total_columns(self) -> int:
        """Output channels after padding."""
        return self.tiles * sum(self.columns) + sum(self.tail)

    @property
    def separate_bias(self) -> int:
        """Elements of the bias kept apart in front of a chunked stage's weights."""
        return self.total_columns if self.chunks > 1 else 0

    @property
    def tile_rows(self) -> int:
        """Rows stored per column tile: K, and the bias unless it is kept apart."""
        return self.depth + (self.bias_rows if self.chunks == 1 else 0)

    @property
    def chunk_elements(self) -> int:
        """Elements of one chunk."""
        return self.tile_rows * self.total_columns

    @property
    def elements(self) -> int:
        """Elements of the whole stage."""
        return self.separate_bias + self.chunks * self.chunk_elements

    def stored(self, rows: Array) -> Array:
        """Return what is stored of the rows [K, columns] of a chunk."""
        return rows

    def pack(self, taps: Array, bias: Array) -> Array:
        """Pack a filter [kernel rows, kernel columns, channels, outputs] and its bias [outputs]."""
        outputs = bias.shape[0]
        matrix = np.zeros((*self.taps, self.padded, self.total_columns), np.float32)
        matrix[:, :, : self.channels, :outputs] = taps
        biases = np.zeros(self.total_columns, np.float32)
        biases[:outputs] = bias
        parts = [biases] if self.chunks > 1 else []
        for rows in np.split(matrix.reshape(-1, self.total_columns), self.chunks):
            stored = self.stored(rows)
            stored = stored if self.chunks > 1 else np.concatenate([biases[None]] * self.bias_rows + [stored])
            start = 0
            for width in [sum(self.columns)] * self.tiles + [sum(self.tail)]:
                parts.append(stored[:, start : start + width].ravel())
                start += width
        return np.concatenate(parts)


@dataclass(frozen=True)
class DepthwisePacking:
    """Layout of a depthwise stage's weights: ``blocks`` vectors of ``lanes`` channels, each ``[bias][taps]``."""

    taps: int
    blocks: int
    lanes: int

    @property
    def block_elements(self) -> int:
        """Elements of one vector of channels."""
        return (self.taps + 1) * self.lanes

    @property
    def elements(self) -> int:
        """Elements of the whole stage."""
        return self.blocks * self.block_elements

    def pack(self, taps: Array, bias: Array) -> Array:
        """Pack a filter [kernel rows, kernel columns, 1, channels] and its bias [channels]."""
        channels = bias.shape[0]
        rows = np.zeros((self.taps + 1, self.blocks * self.lanes), np.float32)
        rows[0, :channels] = bias
        rows[1:, :channels] = taps.reshape(self.taps, channels)
        return np.ascontiguousarray(rows.reshape(self.taps + 1, self.blocks, self.lanes).transpose(1, 0, 2)).ravel()


Packing = MatrixPacking | DepthwisePacking
