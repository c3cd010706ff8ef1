"""The load stage: one row of the caller's tensor copied into a ring whose columns carry the padding."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Index
from mnv2c.kernels.stages.base import Surroundings

COPY_VECTORS = 4
"""Vectors copied per iteration; enough to hide the loop."""


@dataclass(frozen=True)
class LoadStage:
    """Emitter of a load: NHWC to pixel-major (one block) or to blocks of one vector."""

    at: Surroundings

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Copy rows [row, row + rows)."""
        k, (ring,) = self.at.k, self.at.results
        with k.loop(rows, "row") as index:
            here = k.bind(row + index, "row")
            source, result = self.at.sources[0].row(k, here), ring.row(k, here)
            if ring.layout.block == self.at.stage.shape.channels:
                self._copy_contiguous(source, result, self.at.stage.shape.columns * self.at.stage.shape.channels)
            else:
                self._copy_blocks(source, result)

    def _copy_contiguous(self, source: Index, result: Index, elements: int) -> None:
        k, lanes = self.at.k, self.at.provider.lanes
        group = COPY_VECTORS * lanes
        with k.loop(elements // group, "copy") as index:
            for vector in range(COPY_VECTORS if elements >= group else 0):
                self._copy(source, result, index * group + vector * lanes, index * group + vector * lanes, lanes)
        done = elements // group * group
        for width in self.at.provider.widths(elements - done):
            self._copy(source, result, done, done, width)
            done += width

    def _copy_blocks(self, source: Index, result: Index) -> None:
        k, shape, (ring,) = self.at.k, self.at.stage.shape, self.at.results
        with k.loop(shape.columns, "pixel") as pixel:
            channel = 0
            for width in self.at.provider.widths(shape.channels):
                self._copy(
                    source, result, pixel * shape.channels + channel, ring.pixel(pixel) + ring.channel(channel), width
                )
                channel += width

    def _copy(self, source: Index, result: Index, read: Index, write: Index, lanes: int) -> None:
        k, plane, ring = self.at.k, self.at.sources[0], self.at.results[0]
        k.store(ring.buffer, result + write, k.load(plane.buffer, source + read, lanes), lanes)
