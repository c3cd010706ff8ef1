"""Stages that multiply pixels by a matrix: stem, expand, project, pointwise, dense, and any k x k convolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import INDEX, Index, Value, divided
from mnv2c.kernels.microkernels.base import (
    MatrixTile,
    Operand,
    Prefetch,
    Stream,
    Weights,
    fetching_iterations,
    zero,
)
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.planes import Plane, Rows
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.stages.base import EmitContext
from mnv2c.kernels.stages.means import Means
from mnv2c.kernels.stages.tiles import ColumnTile, Following, Pixel
from mnv2c.plan.chain import Activation
from mnv2c.schedule.record import Tile

STATIC_PIXELS = 64
"""Most pixels whose tiles are emitted one by one across row ends; larger images loop over rows (code size)."""
STREAM_AHEAD = 1024
"""Elements ahead of a stream of weights that each are used once (4 KB: -17 % on Zen 4 against a whole tile ahead)."""


@dataclass(frozen=True)
class MatrixStage:
    """Emitter of one matrix stage.

    ``residual`` is added to the clamped result, and the sum clamped to ``ending``, before it is stored. ``pool``
    replaces the stored rows by their mean over the whole image. With chunks, the partial sums live in the result plane.
    ``following`` is set where weights are read once, so that only time to read them, not to use them, is lost.
    """

    at: EmitContext
    packing: MatrixPacking
    tile: Tile
    prefetch: bool
    residual: Plane | None = None
    pool: bool = False
    ending: Activation | None = None
    following: Following | None = None

    @property
    def _late(self) -> Plane | None:
        """The residual, if it can only be added to the clamped sum: without a clamp the sum starts with it."""
        return self.residual if self.at.stage.activation is not None else None

    @property
    def _early(self) -> Plane | None:
        return self.residual if self._late is None else None

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows), joined into one span of pixels where that fills the tiles better."""
        if self._is_one_span(rows):
            self._emit_span(row, rows, chunk)
            return
        with self.at.k.loop(rows, "row") as index:
            self._emit_span(self.at.k.bind(row + index, "row"), 1, chunk)

    def _is_one_span(self, rows: int) -> bool:
        """Whether ``rows`` are walked as one span of pixels, which lie at fixed distances."""
        return rows == 1 or self.pool or (self._joins() and (self._linear() or not self._keeps_weights(rows)))

    def _keeps_weights(self, rows: int) -> bool:
        """Whether all weights serve some pixels before the next ones: the fewer of both are read again and again.

        They stay in the first-level cache, which both together might not. Weights that are prefetched come from
        further away, and the tiles of a small image are written out one by one.
        """
        pixels = rows * self.at.stage.shape.columns
        if self.prefetch or self.pool or rows == 1 or pixels <= STATIC_PIXELS:
            return False
        return min(result.layout.channels for result in self.at.results) < pixels  # both have as many values of K

    def _planes(self) -> tuple[Plane, ...]:
        extra = (self.residual,) if self.residual else ()
        return (self.at.sources[0], *self.at.results, *extra) if not self.pool else (self.at.sources[0],)

    def _joins(self) -> bool:
        """Whether neighbouring rows lie at a fixed distance in every plane."""
        return self.at.stage.window.is_pixel and all(plane.joins for plane in self._planes())

    def _linear(self) -> bool:
        """Whether pixels follow each other without gaps across row ends, so that tiles may be walked by a loop."""
        columns = self.at.stage.shape.columns
        return self._joins() and all(
            plane.layout.width == columns or plane.rows is Rows.SAME for plane in self._planes()
        )

    def _column_tiles(self, chunk: Index | None) -> Iterator[ColumnTile]:
        """Walk the column tiles inside a loop: the full ones, then the tail.

        ``chunk`` selects some of an expansion's column tiles, or of a projection's K (its packing has chunks).
        """
        k, packing = self.at.k, self.packing
        columns, tail = sum(packing.columns), sum(packing.tail)
        tiles = packing.tiles
        start: Index = packing.separate_bias
        if chunk is not None and packing.chunks > 1:
            start = k.bind(start + chunk * packing.chunk_elements, "chunk")
        elif chunk is not None:
            tiles = self.at.results[0].layout.channels // columns
            start = k.bind(start + chunk * (tiles * packing.tile_rows * columns), "chunk")
        first, count = self.at.share.of_tiles(k, tiles)
        with k.loop(count, "tile") as index:
            if tiles:
                yield self._column_tile(packing.columns, (index + first) * columns, start, packing.tile_rows)
        with k.when(self.at.share.is_last):
            if tail and (chunk is None or packing.chunks > 1):
                yield self._column_tile(packing.tail, tiles * columns, start, packing.tile_rows)

    def _column_tile(self, widths: tuple[int, ...], channel: Index, start: Index, rows: int) -> ColumnTile:
        k, columns = self.at.k, sum(widths)
        base = k.bind(start + channel * rows, "tile")
        if self.packing.chunks > 1:
            return ColumnTile(widths, channel, channel, base, rows * columns)
        return ColumnTile(widths, channel, base, base + columns * self.packing.bias_rows, rows * columns)

    def _emit_span(self, row: Index, rows: int, chunk: Index | None) -> None:
        k = self.at.k
        sources = self._source_rows(row)
        bases = {id(plane): plane.row(k, row) for plane in self._planes()[1:]}
        if self._linear() and self._keeps_weights(rows):
            for first, size, _, _ in self._pixel_tiles(rows):
                for columns in self._column_tiles(chunk):
                    self._store(self._multiply(columns, sources, first, size, bases, chunk), columns, first, bases)
            return
        for columns in self._column_tiles(chunk):
            means = Means(self.at, columns.channel, columns.widths, self.ending) if self.pool else None
            if means is not None:
                means.start()
            for first, size, part, parts in self._pixel_tiles(rows):
                ahead = Prefetch(self._ahead(columns, parts), part, parts) if self.prefetch else None
                stream = self._stream(columns, part, parts, chunk)
                tile = self._multiply(columns, sources, first, size, bases, chunk, ahead, stream)
                if means is not None:
                    means.add(tile)
                else:
                    self._store(tile, columns, first, bases)
            if means is not None:
                means.finish()

    def _stream(self, columns: ColumnTile, part: Index, parts: int, chunk: Index | None) -> Stream | None:
        """What one register tile fetches for the stage that follows: an equal share of that one's chunk."""
        if self.following is None or chunk is None:
            return None
        k, packing, line = self.at.k, self.following.packing, self.at.provider.line
        iterations = self._iterations()
        tiles = parts * (self.at.results[0].layout.channels // sum(columns.widths))
        lines = -(-packing.chunk_elements // (line * tiles * iterations))
        number = divided(columns.channel, sum(columns.widths)) * parts + part
        begin = packing.separate_bias + chunk * packing.chunk_elements
        return Stream(self.following.weights, k.bind(begin + number * (iterations * lines * line), "stream"), lines)

    def _iterations(self) -> int:
        """Iterations over K in which one register tile fetches."""
        return max(1, self.packing.depth // self.tile.unroll)

    def _ahead(self, columns: ColumnTile, parts: int) -> int:
        """Distance to what is prefetched: the next column tile, or less where one tile streams through its weights."""
        return columns.elements if parts > 1 else min(columns.elements, STREAM_AHEAD)

    def _pixel_tiles(self, rows: int) -> Iterator[tuple[Pixel, int, Index, int]]:
        """Walk the register tiles of ``rows`` rows: yields (first pixel, pixels, number of the tile, of how many)."""
        k, columns = self.at.k, self.at.stage.shape.columns
        if rows > 1 and not self._linear() and (self._aligned() or rows * columns > STATIC_PIXELS):
            yield from self._tiles_by_row(rows)
            return
        pieces = balanced_split(rows * columns, self.tile.pixels)
        parts, part, loops = sum(count for _, _, count in pieces), 0, rows == 1 or self._linear()
        for start, size, count in pieces:
            with k.loop(count if loops else 1, "pixels") as index:
                for number in [index] if loops else range(count):
                    yield Pixel(0, k.bind(number * size + start, "pixel")), size, part + number, parts
            part += count

    def _tiles_by_row(self, rows: int) -> Iterator[tuple[Pixel, int, Index, int]]:
        """The same, no tile crossing the end of a row; a column tile's weights serve all rows before the next one's."""
        k, pieces = self.at.k, balanced_split(self.at.stage.shape.columns, self.tile.pixels)
        parts, part = sum(count for _, _, count in pieces), 0
        with k.loop(rows, "row") as row:
            for start, size, count in pieces:
                with k.loop(count, "pixels") as index:
                    pixel = k.bind(index * size + start, "pixel")
                    yield Pixel(row, pixel), size, row * parts + part + index, rows * parts
                part += count

    def _aligned(self) -> bool:
        """Whether rows are cut into equal tiles, so that no tile crosses the end of one."""
        return self.at.stage.window.is_pixel and len(balanced_split(self.at.stage.shape.columns, self.tile.pixels)) == 1

    def _source_rows(self, row: Index) -> Callable[[Index], Index]:
        """Return the element index of a window row, at the column of output column 0 and window column 0.

        Of several rows the indices are kept in a small table, so that the tiles can loop over them: written out row by
        row, the products of a window are one straight line, which spills (see `schedule.analytic`).
        """
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        top, left = window.padding[0][0], window.padding[1][0]
        rows = [
            k.bind(plane.row(k, row * window.stride[0] - top + tap * window.dilation[0]) - plane.pixel(left), "source")
            for tap in range(window.kernel[0])
        ]
        if len(rows) == 1:
            return lambda tap: rows[0]
        table = k.stack(INDEX, len(rows))
        for tap, index in enumerate(rows):
            k.store(table, tap, index)
        return lambda tap: k.bind(k.load(table, tap), "source")

    def _multiply(
        self,
        columns: ColumnTile,
        sources: Callable[[Index], Index],
        first: Pixel,
        size: int,
        bases: dict[int, Index],
        chunk: Index | None,
        prefetch: Prefetch | None = None,
        stream: Stream | None = None,
    ) -> MatrixTile:
        """Fill one register tile: the products of the whole window, and the bias before or after them.

        It begins with zero, the bias, the residual or partial sums.
        """
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        tile = MatrixTile(k, self.at.provider, size, columns.widths)

        def begin(pixel: int, offset: int, lanes: int) -> Value:
            if self.packing.chunks > 1:
                return self._load(self.at.results[0], bases, first, pixel, columns.channel + offset, lanes)
            if self.packing.bias_first:
                row = pixel * sum(columns.widths) if self.packing.bias_rows > 1 else 0
                return k.load(self.at.weights, columns.bias + row + offset, lanes)
            if self._early is None:
                return zero(self.at.provider, lanes)
            return self._load(self._early, bases, first, pixel, columns.channel + offset, lanes)

        tile.start(begin)
        weights = Weights(self.at.weights, columns.weights, sum(columns.widths))
        run, depth = self._run(), self.packing.padded // self.packing.chunks
        with k.loop(window.kernel[0], "tap") as tap_row:
            source = sources(tap_row)
            here = weights.advance(tap_row * (window.kernel[1] * depth))
            for tap in range(0, window.kernel[1], run):
                shift = plane.pixel(tap * window.dilation[1])
                lefts = tuple(
                    k.bind(source + shift + self._source_pixel(first, pixel), "left") for pixel in range(size)
                )
                distances = self._distances(first, size)
                operand = Operand(plane.buffer, lefts, plane.layout.block * run, plane.layout.block_stride, distances)
                if stream is None and self.at.next_weights is not None:
                    stream = self.at.next_weights.stream(fetching_iterations(operand, depth * run, self.tile.unroll))
                tile.accumulate(operand, here, depth * run, self.tile.unroll, prefetch, stream)
                here = here.advance(depth * run)
        if self.packing.chunks == 1 and not self.packing.bias_first:  # a large bias in a long sum costs bits of it
            tile.add(lambda offset, lanes: k.load(self.at.weights, columns.bias + offset, lanes))
        return tile

    def _run(self) -> int:
        """Window columns that lie next to each other in memory, so that one run of K covers them all."""
        dense = self.at.sources[0].layout.block == self.packing.padded  # pixels without channels that are only padding
        return self.at.stage.window.kernel[1] if dense and self.at.stage.window.dilation[1] == 1 else 1

    def _source_pixel(self, first: Pixel, pixel: int) -> Index:
        stride = self.at.stage.window.stride[1]
        if stride > 1:  # rows are not joined
            return self.at.sources[0].pixel((first.column + pixel) * stride)
        return self._pixel(self.at.sources[0], first, pixel)

    def _distances(self, first: Pixel, size: int) -> tuple[int, ...]:
        """Return how far the pixels of a tile lie from its first one, which is known even where that one is not."""
        known = Pixel(0, first.column if isinstance(first.column, int) else 0)
        return tuple(self._source_pixel(known, pixel) - self._source_pixel(known, 0) for pixel in range(size))

    def _pixel(self, plane: Plane, first: Pixel, pixel: int) -> Index:
        """Return the distance from the span's first pixel to one of a tile; a static one may lie in a later row."""
        columns, column = self.at.stage.shape.columns, first.column + pixel
        if isinstance(column, int) and self.at.stage.window.is_pixel:
            return plane.pixel((first.row + column // columns) * plane.layout.width + column % columns)
        return plane.pixel(first.row * plane.layout.width + column)

    def _load(
        self, plane: Plane, bases: dict[int, Index], first: Pixel, pixel: int, channel: Index, lanes: int
    ) -> Value:
        index = bases[id(plane)] + self._pixel(plane, first, pixel) + plane.channel(channel)
        return self.at.k.load(plane.buffer, index, lanes)

    def _store(self, tile: MatrixTile, columns: ColumnTile, first: Pixel, bases: dict[int, Index]) -> None:
        def consume(pixel: int, offset: int, lanes: int, value: Value) -> None:
            self._put(value, bases, first, pixel, columns.channel + offset, lanes)

        tile.finish(consume)

    def _put(self, value: Value, bases: dict[int, Index], first: Pixel, pixel: int, channel: Index, lanes: int) -> None:
        """Finish a sum, unless more chunks follow, and store it in every result plane."""
        late = self._late and self._load(self._late, bases, first, pixel, channel, lanes)
        result = value if self.packing.chunks > 1 else self._finished(value, late, lanes)
        for plane in self.at.results:
            index = bases[id(plane)] + self._pixel(plane, first, pixel) + plane.channel(channel)
            self.at.k.store(plane.buffer, index, result, lanes)

    def _finished(self, value: Value, late: Value | None, lanes: int) -> Value:
        """Clamp a sum, add a residual that waited for that, and clamp again."""
        k, provider = self.at.k, self.at.provider
        clamped = provider.clamp(k, value, lanes, self.at.stage.activation)
        result = clamped if late is None else clamped + late
        return provider.clamp(k, result, lanes, self.ending)

    def start_sums(self) -> None:
        """Before the first chunk: set the result to the bias, plus the residual."""
        k, plane, early = self.at.k, self.at.results[0], self._early
        for pixel, channel, lanes in self._vectors():
            value = k.load(self.at.weights, channel, lanes)
            if early is not None:
                value = value + k.load(early.buffer, early.pixel(pixel) + early.channel(channel), lanes)
            k.store(plane.buffer, plane.pixel(pixel) + plane.channel(channel), value, lanes)

    def finish_sums(self) -> None:
        """After the last chunk: clamp the result, as no partial sum may be."""
        k, plane, late = self.at.k, self.at.results[0], self._late
        if self.at.stage.activation is None and self.ending is None:
            return
        for pixel, channel, lanes in self._vectors():
            index = plane.pixel(pixel) + plane.channel(channel)
            more = late and k.load(late.buffer, late.pixel(pixel) + late.channel(channel), lanes)
            k.store(plane.buffer, index, self._finished(k.load(plane.buffer, index, lanes), more, lanes), lanes)

    def _vectors(self) -> Iterator[tuple[Index, int, int]]:
        """Walk the result in a loop: yields (pixel, channel, lanes)."""
        with self.at.k.loop(self.at.stage.shape.pixels, "pixel") as pixel:
            channel = 0
            for lanes in self.at.provider.widths(self.at.stage.shape.channels):
                yield pixel, channel, lanes
                channel += lanes
