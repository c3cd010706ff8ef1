"""The load stage: one row of the caller's tensor copied into a ring whose columns carry the padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import Index
from mnv2c.kernels.stages.base import EmitContext

COPY_VECTORS = 4
"""Vectors copied per iteration; enough to hide the loop."""

FETCHED_ROWS = 4
"""Rows between the one that is copied and the one that is fetched from memory meanwhile."""

MOST_INTERLEAVED = 4
"""Most planes that are interleaved in registers (AArch64 stores up to four at once, ST4); more are gathered singly."""


@dataclass(frozen=True)
class LoadStage:
    """Emitter of a load: NHWC or NCHW to pixel-major (one block) or to blocks of one vector."""

    at: EmitContext

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Copy rows [row, row + rows)."""
        k, (ring,), channels = self.at.k, self.at.results, self.at.stage.shape.channels
        planar = self.at.sources[0].layout.block < channels
        with k.loop(rows, "row") as index:
            here = k.bind(row + index, "row")
            source, result = self.at.sources[0].row(k, here), ring.row(k, here)
            if self.at.provider.prefetches:
                self._fetch(source)
            if planar and ring.layout.block == channels <= MOST_INTERLEAVED:
                self._interleave(source, result)
            elif planar:
                self._gather(source, result)
            elif ring.layout.block == channels:
                self._copy_contiguous(source, result, self.at.stage.shape.columns * channels)
            else:
                self._copy_blocks(source, result)

    def _fetch(self, source: Index) -> None:
        """Ask for a row that will be copied later: the image is large, and a copy does nothing but wait for it."""
        k, plane, line = self.at.k, self.at.sources[0], self.at.provider.line
        planes, elements = plane.layout.blocks, plane.layout.columns * plane.layout.block
        start = k.bind(source + FETCHED_ROWS * elements, "fetched")
        for number in range(planes if planes <= MOST_INTERLEAVED else 0):
            with k.loop(-(-elements // line), "line") as index:
                k.prefetch(plane.buffer, start + number * plane.layout.block_stride + index * line, nearest=2)

    def _vectors(self, elements: int, group: int) -> Iterator[tuple[Index, int]]:
        """Walk ``elements``, ``group`` full vectors per iteration of a loop: yields (element, lanes) inside it."""
        lanes = self.at.provider.lanes
        step = group * lanes
        with self.at.k.loop(elements // step, "copy") as index:
            for vector in range(group if elements >= step else 0):
                yield index * step + vector * lanes, lanes
        done = elements // step * step
        for width in self.at.provider.widths(elements - done):
            yield done, width
            done += width

    def _copy_contiguous(self, source: Index, result: Index, elements: int) -> None:
        for element, lanes in self._vectors(elements, COPY_VECTORS):
            self._copy(source, result, element, element, lanes)

    def _copy_blocks(self, source: Index, result: Index) -> None:
        k, shape, (ring,) = self.at.k, self.at.stage.shape, self.at.results
        with k.loop(shape.columns, "pixel") as pixel:
            channel = 0
            for width in self.at.provider.widths(shape.channels):
                self._copy(
                    source, result, pixel * shape.channels + channel, ring.pixel(pixel) + ring.channel(channel), width
                )
                channel += width

    def _interleave(self, source: Index, result: Index) -> None:
        """Turn a vector of pixels of each of the few planes into whole pixels, in registers."""
        k, plane, ring, channels = self.at.k, self.at.sources[0], self.at.results[0], self.at.stage.shape.channels
        for pixel, lanes in self._vectors(self.at.stage.shape.columns, 1):
            starts = [source + plane.channel(channel) + pixel for channel in range(channels)]
            planes = [k.bind(k.load(plane.buffer, start, lanes), "plane") for start in starts]
            k.store(ring.buffer, result + ring.pixel(pixel), k.interleave(planes, lanes), channels * lanes)

    def _gather(self, source: Index, result: Index) -> None:
        """Copy element by element, plane after plane."""
        k, plane, ring, shape = self.at.k, self.at.sources[0], self.at.results[0], self.at.stage.shape
        full, rest = divmod(shape.channels, ring.layout.block)
        runs = [(0, full, ring.layout.block), (full * ring.layout.block, 1, rest)]
        for first, blocks, channels in runs:
            with k.loop(blocks if channels else 0, "block") as block, k.loop(channels, "channel") as channel:
                start = k.bind(source + plane.channel(first + block * ring.layout.block + channel), "plane")
                written = k.bind(result + ring.channel(first + block * ring.layout.block) + channel, "written")
                with k.loop(shape.columns, "pixel") as pixel:
                    k.store(ring.buffer, written + ring.pixel(pixel), k.load(plane.buffer, start + plane.pixel(pixel)))

    def _copy(self, source: Index, result: Index, read: Index, write: Index, lanes: int) -> None:
        k, plane, ring = self.at.k, self.at.sources[0], self.at.results[0]
        k.store(ring.buffer, result + write, k.load(plane.buffer, source + read, lanes), lanes)
