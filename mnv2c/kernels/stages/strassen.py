"""1x1 convolutions by Strassen's products: pairs of register tiles, seven products of half of K where there were eight.

The formulas are in `mnv2c.kernels.strassen`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import Buffer, Index, Value, divided
from mnv2c.kernels.microkernels.base import (
    MatrixTile,
    Operand,
    Prefetch,
    Stream,
    Weights,
    fetching_iterations,
    zero,
)
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.stages.matrix import STATIC_PIXELS, MatrixStage
from mnv2c.kernels.stages.means import Means
from mnv2c.kernels.stages.pairs import ColumnPair, Kept, Pair, Taken
from mnv2c.kernels.stages.tiles import ColumnTile, Pixel
from mnv2c.kernels.strassen import PIXEL_SUMS, PRODUCTS, StrassenPacking, most_pairs, pair_count, paired


@dataclass(frozen=True, kw_only=True)
class StrassenStage(MatrixStage):
    """Emitter of a 1x1 convolution; ``work`` holds the sums of pixels, then the three register tiles that are kept.

    Either a pair of pixel tiles meets all columns, so that its sums stay in the first-level cache; or, ``by_columns``,
    a pair of column tiles meets all pixels, whose sums are all made before: its weights are read once, and those of the
    next pair are fetched meanwhile.
    """

    work: Buffer
    by_columns: bool

    @property
    def _halved(self) -> StrassenPacking:
        assert isinstance(self.packing, StrassenPacking)  # what `layout` packs for this stage
        return self.packing

    def _is_one_span(self, rows: int) -> bool:
        return rows == 1 or self.pool or self._joins()

    def _follow(self, rows: int) -> bool:
        """Whether tiles may cross the ends of rows."""
        return rows == 1 or self._linear() or rows * self.at.stage.shape.columns <= STATIC_PIXELS

    def _emit_span(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit a pair of pixel tiles at a time, so that their sums stay in the first-level cache."""
        k, source = self.at.k, self._source_rows(row)
        bases = {id(plane): plane.row(k, row) for plane in self._planes()[1:]}
        if self.by_columns:
            self._emit_by_columns(rows, source(0), bases, chunk)
        else:
            self._emit_by_pixels(rows, source(0), bases, chunk)
        for alone in self._columns_alone(chunk):
            mean = self._mean(alone)
            for first, size, _, _ in self._pixel_tiles(rows):
                tile = self._multiply(alone, source, first, size, bases, chunk)
                if mean is not None:
                    mean.add(tile)
                else:
                    self._store(tile, alone, first, bases)
            if mean is not None:
                mean.finish()

    def _emit_by_pixels(self, rows: int, source: Index, bases: dict[int, Index], chunk: Index | None) -> None:
        half = self.packing.depth // 2
        prefetch = Prefetch(half * sum(self.packing.columns), 0, 1) if self.prefetch else None
        for pair in self._pixel_pairs(rows):
            self._add_pixels(pair, source, 0)
            operands = self._operands(pair, source, 0)
            for columns in self._column_pairs(chunk):
                self._multiply_pair(pair, columns, operands, bases, prefetch=prefetch)

    def _emit_by_columns(self, rows: int, source: Index, bases: dict[int, Index], chunk: Index | None) -> None:
        pairs = pair_count(rows, self.at.stage.shape.columns, self.tile.pixels, self._follow(rows))
        elements = self._sum_elements(self.tile.pixels)
        for pair in self._pixel_pairs(rows):
            self._add_pixels(pair, source, pair.number * elements)
        for columns in self._column_pairs(chunk):
            means = tuple(filter(None, map(self._mean, (columns.left, columns.right))))
            for pair in self._pixel_pairs(rows):
                stream = self._stream(columns.left, pair.number, pairs, chunk)
                operands = self._operands(pair, source, pair.number * elements)
                far = self._halved.pair_elements  # more than the first-level cache holds beside what is multiplied
                ahead = Prefetch(far, pair.number, pairs, nearest=2) if self.prefetch else None
                self._multiply_pair(pair, columns, operands, bases, means, stream, ahead)
            for mean in means:
                mean.finish()

    def _mean(self, columns: ColumnTile) -> Means | None:
        if not self.pool:
            return None
        mean = Means(self.at, columns.channel, columns.widths, self.ending)
        mean.start()
        return mean

    def _stream(self, columns: ColumnTile, part: Index, parts: int, chunk: Index | None) -> Stream | None:
        """What one product fetches for the stage that follows: an equal share of that one's chunk."""
        if self.following is None or chunk is None:
            return None
        k, packing, line = self.at.k, self.following.packing, self.at.provider.line
        width, iterations = sum(columns.widths), max(1, self.packing.depth // 2 // self.tile.unroll)
        products = PRODUCTS * parts * self._halved.pairs
        lines = -(-packing.chunk_elements // (line * products * iterations))
        number = (divided(columns.channel, 2 * width) * parts + part) * PRODUCTS
        begin = packing.separate_bias + chunk * packing.chunk_elements
        return Stream(self.following.weights, k.bind(begin + number * (iterations * lines * line), "stream"), lines)

    def _pixel_pairs(self, rows: int) -> Iterator[Pair]:
        """Walk pairs of tiles: neighbours, or the same columns of two rows where no tile may cross the end of one."""
        if self._follow(rows):
            yield from self._neighbours(0, rows, 0)
            return
        yield from self._row_pairs(rows)
        if rows % 2:
            number = (
                rows // 2 * sum(count for _, _, count in balanced_split(self.at.stage.shape.columns, self.tile.pixels))
            )
            yield from self._neighbours(rows - 1, 1, number)

    def _neighbours(self, row: int, rows: int, number: int) -> Iterator[Pair]:
        """Walk pairs of neighbouring tiles of ``rows`` rows that follow each other; ``number`` is the first one's."""
        k, loops = self.at.k, rows == 1 or self._linear()
        for span in paired(rows * self.at.stage.shape.columns, self.tile.pixels):
            with k.loop(span.count if loops else 1, "pair") as index:
                for at in [index] if loops else range(span.count):
                    first = k.bind(at * span.pixels + span.start, "pixel")
                    second = k.bind(first + (span.size - span.overlap), "pixel")
                    yield Pair(Pixel(row, first), Pixel(row, second), span.size, span.overlap, number + at)
            number += span.count

    def _row_pairs(self, rows: int) -> Iterator[Pair]:
        k, pieces, part = self.at.k, balanced_split(self.at.stage.shape.columns, self.tile.pixels), 0
        parts = sum(count for _, _, count in pieces)
        with k.loop(rows // 2, "rows") as row:
            for start, size, count in pieces:
                with k.loop(count, "pixels") as index:
                    column = k.bind(index * size + start, "pixel")
                    number = row * parts + part + index
                    yield Pair(Pixel(row * 2, column), Pixel(row * 2 + 1, column), size, 0, number)
                part += count

    def _column_pairs(self, chunk: Index | None) -> Iterator[ColumnPair]:
        """Walk the pairs of column tiles in a loop: all, or those of a chunk of an expansion's channels."""
        k, packing, columns = self.at.k, self._halved, sum(self.packing.columns)
        start, channel = self._group(chunk)
        with k.loop(packing.pairs, "columns") as index:
            at = k.bind(start + index * packing.pair_elements, "weights")
            left, right = (
                ColumnTile(packing.columns, here, k.bind(here + channel, "bias"), at, 0)
                for here in (index * (2 * columns), index * (2 * columns) + columns)
            )
            yield ColumnPair(left, right, at)

    def _columns_alone(self, chunk: Index | None) -> Iterator[ColumnTile]:
        """The column tile without a partner, and the tail."""
        k, packing = self.at.k, self._halved
        begin, first = self._group(chunk) if packing.alone else (0, 0)
        at, channel = packing.pairs * packing.pair_elements, 2 * packing.pairs * sum(packing.columns)
        for widths in packing.alone:
            elements = packing.depth * sum(widths)
            yield ColumnTile(widths, channel, k.bind(first + channel, "bias"), k.bind(begin + at, "tile"), elements)
            at, channel = at + elements, channel + sum(widths)

    def _group(self, chunk: Index | None) -> tuple[Index, Index]:
        """Where the weights of a chunk begin, of K or of an expansion's channels, and the first channel they are of."""
        k, packing = self.at.k, self._halved
        if chunk is None:
            return packing.separate_bias, 0
        start = k.bind(chunk * (packing.chunk_elements // packing.groups) + packing.separate_bias, "chunk")
        return start, k.bind(chunk * packing.group_columns, "channel") if packing.chunks == 1 else 0

    def _sum_elements(self, size: int) -> int:
        return PIXEL_SUMS * size * (self.packing.depth // 2)

    def _lefts(self, source: Index, first: Pixel, size: int) -> tuple[Index, ...]:
        return tuple(self.at.k.bind(source + self._source_pixel(first, pixel), "left") for pixel in range(size))

    def _add_pixels(self, pair: Pair, source: Index, at: Index) -> None:
        """Store S1 to S4 of a pair of tiles, in the order S2, S3, S1, S4, from element ``at`` on."""
        k, halves, plane = self.at.k, self._halved.halves, self.at.sources[0]
        lanes, half = halves.lanes(self.at.provider.lanes), self.packing.depth // 2
        firsts, seconds = (self._lefts(source, pixel, pair.size) for pixel in (pair.first, pair.second))
        with k.loop(half // halves.block, "block") as block, k.loop(halves.block // lanes, "vector") as vector:
            offset = k.bind(block * halves.stride + vector * lanes, "offset")
            position = k.bind(block * halves.block + vector * lanes, "position")
            for pixel, (upper, lower) in enumerate(zip(firsts, seconds, strict=True)):
                a11, a12, a21, a22 = (
                    k.bind(k.load(plane.buffer, base + offset + shift, lanes))
                    for base in (upper, lower)
                    for shift in (0, halves.second)
                )
                s1 = k.bind(a21 + a22)
                s2 = k.bind(s1 - a11)
                target = at + self._place(position, pixel, pair.size, lanes)
                for number, value in enumerate((s2, a11 - a21, s1, a12 - s2)):
                    k.store(self.work, target + number * (half * pair.size), value, lanes)

    def _place(self, position: Index, pixel: int, size: int, lanes: int) -> Index:
        """Where value ``position`` of a half of K lies: neighbouring pixels together where vectors of them are read."""
        if self.at.provider.gathers:
            return position * size + pixel * lanes
        return position + pixel * (self.packing.depth // 2)

    def _operands(self, pair: Pair, source: Index, at: Index) -> tuple[Operand, ...]:
        """Return the left sides of the seven products, in the order in which they are multiplied."""
        k, halves, plane, size = self.at.k, self._halved.halves, self.at.sources[0], pair.size
        half, lanes = self.packing.depth // 2, halves.lanes(self.at.provider.lanes)

        def pixels(first: Pixel, shift: int) -> Operand:
            lefts = tuple(left + shift for left in self._lefts(source, first, size))
            return Operand(plane.buffer, lefts, halves.block, halves.stride, self._distances(first, size))

        def added(number: int) -> Operand:
            begin = k.bind(at + number * (half * size), "sums")
            places = tuple(self._place(0, pixel, size, lanes) for pixel in range(size))
            lefts = tuple(begin + place for place in places)
            block, stride = (lanes, lanes * size) if self.at.provider.gathers else (half, half)
            return Operand(self.work, lefts, block, stride, places)

        s2, s3, s1, s4 = (added(number) for number in range(PIXEL_SUMS))
        a11, a12, a22 = pixels(pair.first, 0), pixels(pair.first, halves.second), pixels(pair.second, halves.second)
        return a11, a12, s2, s3, a22, s1, s4

    def _multiply_pair(
        self,
        pair: Pair,
        columns: ColumnPair,
        operands: tuple[Operand, ...],
        bases: dict[int, Index],
        means: tuple[Means, ...] = (),
        stream: Stream | None = None,
        prefetch: Prefetch | None = None,
    ) -> None:
        """Compute two register tiles of two column tiles: store them, or add them to the ``means`` of both."""
        k, provider, half, widths = self.at.k, self.at.provider, self.packing.depth // 2, self.packing.columns
        tile, width = MatrixTile(k, provider, pair.size, widths), sum(widths)
        kept = Kept(k, self.work, self._kept_from(), pair.size, width)

        def product(number: int) -> None:
            at = k.bind(columns.weights + number * half * width, "weights")
            fetched = stream and self._part_of(stream, number)
            if fetched is None and self.at.next_weights is not None:
                fetched = self.at.next_weights.stream(fetching_iterations(operands[number], half, self.tile.unroll))
            weights = Weights(self.at.weights, at, width)
            tile.accumulate(operands[number], weights, half, self.tile.unroll, prefetch, fetched)

        def finish(second: bool, column: int) -> None:
            taken = Taken(pair.second, pair.overlap) if second else Taken(pair.first, 0)
            mean = means[column] if means else None
            self._take(tile, taken, columns.right if column else columns.left, bases, mean)

        tile.start(lambda pixel, offset, lanes: zero(provider, lanes))
        product(0)
        kept.keep(tile, 0)
        product(1)
        finish(second=False, column=0)
        kept.resume(tile, 0)
        product(2)
        kept.keep(tile, 1)
        product(3)
        kept.keep(tile, 2)
        product(4)
        finish(second=True, column=0)
        kept.resume(tile, 1)
        product(5)
        kept.add_difference(tile, 1, 2)
        product(6)
        finish(second=False, column=1)
        kept.resume(tile, 2)
        finish(second=True, column=1)

    def _take(
        self, tile: MatrixTile, taken: Taken, columns: ColumnTile, bases: dict[int, Index], mean: Means | None
    ) -> None:
        """Finish a register tile whose sums are complete but for the bias, or for those of other chunks."""
        k, partial = self.at.k, self.packing.chunks > 1
        if not partial:
            tile.add(lambda offset, lanes: k.load(self.at.weights, columns.bias + offset, lanes))
        if mean is not None:
            mean.add(tile, taken.skipped)
            return
        added = self.at.results[0] if partial else self._early

        def consume(pixel: int, offset: int, lanes: int, value: Value) -> None:
            if pixel >= taken.skipped:
                channel = columns.channel + offset
                more = added and self._load(added, bases, taken.first, pixel, channel, lanes)
                self._put(value if more is None else value + more, bases, taken.first, pixel, channel, lanes)

        tile.finish(consume)

    def _kept_from(self) -> int:
        """The element of ``work`` from which on register tiles are kept."""
        return most_pairs(self.at.stage, self.tile.pixels, self.by_columns) * self._sum_elements(self.tile.pixels)

    def _part_of(self, stream: Stream, number: int) -> Stream:
        """What product ``number`` fetches."""
        iterations = max(1, self.packing.depth // 2 // self.tile.unroll)
        lines = number * iterations * stream.lines
        return Stream(stream.buffer, stream.first + lines * self.at.provider.line, stream.lines)
