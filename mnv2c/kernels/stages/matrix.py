"""Stages that multiply pixels by a matrix: stem, expand, project, pointwise, dense, and any k x k convolution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import Index, Register, Value, constant
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Prefetch, Weights, zero
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.planes import Plane
from mnv2c.kernels.stages.base import Surroundings, spans
from mnv2c.schedule.record import Tile

STATIC_PIXELS = 64
"""Most pixels whose tiles are emitted one by one across row ends; larger images loop over rows (code size)."""


@dataclass(frozen=True)
class ColumnTile:
    """One column tile: its vector widths, its first output channel, and where its bias and weights start."""

    widths: tuple[int, ...]
    channel: Index
    bias: Index
    weights: Index
    elements: int


@dataclass(frozen=True)
class MatrixStage:
    """Emitter of one matrix stage.

    ``residual`` is added to the result before it is stored. ``pool`` replaces the stored rows by their mean over the
    whole image. With chunks, the partial sums live in the (first) result plane.
    """

    at: Surroundings
    packing: MatrixPacking
    tile: Tile
    prefetch: bool
    residual: Plane | None = None
    pool: bool = False

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows), joined into one span of pixels where that fills the tiles better."""
        columns = self.at.stage.shape.columns
        joined = rows == 1 or self.pool or (self._joins() and (self._linear() or rows * columns <= STATIC_PIXELS))
        if joined:
            self._emit_span(row, rows, chunk)
            return
        with self.at.k.loop(rows, "row") as index:
            self._emit_span(self.at.k.bind(row + index, "row"), 1, chunk)

    def _planes(self) -> tuple[Plane, ...]:
        extra = (self.residual,) if self.residual else ()
        return (self.at.sources[0], *self.at.results, *extra) if not self.pool else (self.at.sources[0],)

    def _joins(self) -> bool:
        """Whether neighbouring rows lie at a fixed distance in every plane."""
        return self.at.stage.window.is_pixel and all(plane.joins for plane in self._planes())

    def _linear(self) -> bool:
        """Whether pixels follow each other without gaps across row ends, so that tiles may be walked by a loop."""
        columns = self.at.stage.shape.columns
        return self._joins() and all(plane.layout.width == columns for plane in self._planes())

    def _column_tiles(self, chunk: Index | None) -> Iterator[ColumnTile]:
        """Walk the column tiles inside a loop: the full ones, then the tail.

        Of an expansion, ``chunk`` selects some of the column tiles; of a projection (its packing has chunks), some of K.
        """
        k, packing = self.at.k, self.packing
        columns, tail = sum(packing.columns), sum(packing.tail)
        tiles, first = packing.tiles, packing.offset
        start: Index = first + packing.separate_bias
        if chunk is not None and packing.chunks > 1:
            start = k.bind(start + chunk * packing.chunk_elements, "chunk")
        elif chunk is not None:
            tiles = self.at.results[0].layout.channels // columns
            start = k.bind(start + chunk * (tiles * packing.tile_rows * columns), "chunk")
        with k.loop(tiles, "tile") as index:
            if tiles:
                yield self._column_tile(packing.columns, index * columns, start, packing.tile_rows)
        if tail and (chunk is None or packing.chunks > 1):
            yield self._column_tile(packing.tail, tiles * columns, start, packing.tile_rows)

    def _column_tile(self, widths: tuple[int, ...], channel: Index, start: Index, rows: int) -> ColumnTile:
        k, columns = self.at.k, sum(widths)
        base = k.bind(start + channel * rows, "tile")
        if self.packing.chunks > 1:
            return ColumnTile(widths, channel, self.packing.offset + channel, base, rows * columns)
        return ColumnTile(widths, channel, base, base + columns, rows * columns)

    def _emit_span(self, row: Index, rows: int, chunk: Index | None) -> None:
        k, stage = self.at.k, self.at.stage
        sources = self._source_rows(row)
        bases = {id(plane): plane.row(k, row) for plane in self._planes()[1:]}
        pixels = rows * stage.shape.columns
        pieces = spans(pixels, self.tile.pixels)
        # A loop over pixel tiles keeps code small; one by one they can each prefetch a share of the next weights.
        loops = rows == 1 or (self._linear() and (not self.prefetch or pixels > STATIC_PIXELS))
        parts = sum(count for _, _, count in pieces)
        for columns in self._column_tiles(chunk):
            means = [k.register(self.at.provider.dtype, lanes) for lanes in columns.widths] if self.pool else []
            for mean, lanes in zip(means, columns.widths, strict=False):
                mean.set(zero(self.at.provider, lanes))
            part = 0
            for start, size, count in pieces:
                with k.loop(count if loops else 1, "pixels") as index:
                    for copy in range(1 if loops else count):
                        first = k.bind((index if loops else copy) * size + start, "pixel")
                        ahead = Prefetch(columns.elements, part, parts) if self.prefetch and (not loops or parts == 1) else None
                        tile = self._multiply(columns, sources, first, size, bases, chunk, ahead)
                        self._store(tile, columns, first, bases, means)
                        part += 1
            for mean, lanes, offset in zip(means, columns.widths, _offsets(columns.widths), strict=False):
                self._store_mean(mean.get(), columns.channel + offset, lanes)

    def _source_rows(self, row: Index) -> list[Index]:
        """Return the element index of every window row, at the column of output column 0 and window column 0."""
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        top, left = window.padding[0][0], window.padding[1][0]
        return [
            k.bind(plane.row(k, row * window.stride[0] - top + tap * window.dilation[0]) - plane.pixel(left), "source")
            for tap in range(window.kernel[0])
        ]

    def _multiply(
        self,
        columns: ColumnTile,
        sources: list[Index],
        first: Index,
        size: int,
        bases: dict[int, Index],
        chunk: Index | None,
        prefetch: Prefetch | None,
    ) -> MatrixTile:
        """Fill one register tile: bias, residual or partial sums, then the products of the whole window."""
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        tile = MatrixTile(k, self.at.provider, size, columns.widths)

        def begin(pixel: int, offset: int, lanes: int) -> Value:
            if self.packing.chunks > 1:
                return self._load(self.at.results[0], bases, first + pixel, columns.channel + offset, lanes)
            bias = k.load(self.at.weights, columns.bias + offset, lanes)
            if self.residual is None:
                return bias
            return bias + self._load(self.residual, bases, first + pixel, columns.channel + offset, lanes)

        tile.start(begin)
        weights = Weights(self.at.weights, columns.weights, sum(columns.widths))
        run = self._run()
        for source in sources:
            for tap in range(0, window.kernel[1], run):
                shift = plane.pixel(tap * window.dilation[1])
                lefts = tuple(
                    k.bind(source + shift + self._source_pixel(first, pixel), "left") for pixel in range(size)
                )
                block, depth = plane.layout.block, self.packing.padded // self.packing.chunks
                operand = Operand(plane.buffer, lefts, block * run, plane.layout.block_stride)
                tile.accumulate(operand, weights, depth * run, self.tile.unroll, prefetch)
                weights = weights.advance(depth * run)
        return tile

    def _run(self) -> int:
        """Window columns that lie next to each other in memory, so that one run of K covers them all."""
        one_block = self.at.sources[0].layout.blocks == 1
        return self.at.stage.window.kernel[1] if one_block and self.at.stage.window.dilation[1] == 1 else 1

    def _source_pixel(self, first: Index, pixel: int) -> Index:
        stride = self.at.stage.window.stride[1]
        return self._pixel(self.at.sources[0], (first + pixel) * stride if stride > 1 else first + pixel)

    def _pixel(self, plane: Plane, pixel: Index) -> Index:
        """Return the distance from the span's first pixel; a static pixel may lie in a later row."""
        columns = self.at.stage.shape.columns
        if isinstance(pixel, int) and self.at.stage.window.is_pixel:
            return plane.pixel(pixel // columns * plane.layout.width + pixel % columns)
        return plane.pixel(pixel)

    def _load(self, plane: Plane, bases: dict[int, Index], pixel: Index, channel: Index, lanes: int) -> Value:
        index = bases[id(plane)] + self._pixel(plane, pixel) + plane.channel(channel)
        return self.at.k.load(plane.buffer, index, lanes)

    def _store(
        self, tile: MatrixTile, columns: ColumnTile, first: Index, bases: dict[int, Index], means: list[Register]
    ) -> None:
        k, activation = self.at.k, self.at.stage.activation

        def consume(pixel: int, offset: int, lanes: int, value: Value) -> None:
            result = self.at.provider.clamp(k, value, lanes, activation)
            if self.pool:
                mean = means[tile.offsets.index(offset)]
                mean.set(mean.get() + result)
                return
            for plane in self.at.results:
                channel = plane.channel(columns.channel + offset)
                k.store(plane.buffer, bases[id(plane)] + self._pixel(plane, first + pixel) + channel, result, lanes)

        tile.finish(consume)

    def _store_mean(self, total: Value, channel: Index, lanes: int) -> None:
        k, provider, pixels = self.at.k, self.at.provider, self.at.stage.shape.pixels
        for plane in self.at.results:
            k.store(plane.buffer, plane.channel(channel), total * constant(1.0 / pixels, provider.dtype, lanes), lanes)

    def start_sums(self) -> None:
        """Before the first chunk: set the result to the bias, plus the residual."""
        k, shape = self.at.k, self.at.stage.shape
        plane, residual = self.at.results[0], self.residual
        with k.loop(shape.pixels, "pixel") as pixel:
            channel = 0
            for lanes in self.at.provider.widths(shape.channels):
                value = k.load(self.at.weights, self.packing.offset + channel, lanes)
                if residual is not None:
                    value = value + k.load(
                        residual.buffer, residual.pixel(pixel) + residual.channel(channel), lanes
                    )
                k.store(plane.buffer, plane.pixel(pixel) + plane.channel(channel), value, lanes)
                channel += lanes


def _offsets(widths: tuple[int, ...]) -> list[int]:
    return [sum(widths[:index]) for index in range(len(widths))]
