"""1x1 convolutions by products of sums, one multiplication for two products; the formulas: `mnv2c.kernels.summed`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mnv2c.kernels.ir import Buffer, Index, Register, Value, constant, divided, equal, modulo
from mnv2c.kernels.microkernels.base import MatrixTile, Prefetch, Stream, Weights, zero
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.kernels.stages.means import Means
from mnv2c.kernels.stages.tiles import ColumnTile, Pixel
from mnv2c.kernels.summed import FACTORS, GROUP, SummedPacking, groups_at_once, tile_elements

FRACTION, BIAS = 23, 127
"""Bits of a float32's fraction, and what is added to its exponent."""


@dataclass(frozen=True, kw_only=True)
class SummedStage(MatrixStage):
    """Emitter of a 1x1 convolution; ``work`` holds divided pixels, by register tile.

    Either a tile of pixels is divided and meets all columns; or, ``by_columns``, all pixels of a span are divided
    before, and a column tile, read once, meets them all. Where the stage makes its channels in chunks, the first chunk
    divides the pixels for all, of ``rows`` rows that may come one by one.
    """

    work: Buffer
    by_columns: bool
    rows: int

    @property
    def _cut(self) -> SummedPacking:
        assert isinstance(self.packing, SummedPacking)  # what `layout` packs for this stage
        return self.packing

    def _is_one_span(self, rows: int) -> bool:
        return rows == 1 or self.pool or self._joins()

    def _emit_span(self, row: Index, rows: int, chunk: Index | None) -> None:
        k, source = self.at.k, self._source_rows(row)(0)
        bases = {id(plane): plane.row(k, row) for plane in self._planes()[1:]}
        if not self.by_columns:
            for first, size, _, _ in self._pixel_tiles(rows):
                self._divide(source, first, size, 0)
                for columns in self._column_tiles(chunk):
                    self._store(self._products(columns, first, size, 0, bases), columns, first, bases)
            return
        number = self._number(row, rows)
        with k.when(True if chunk is None or self.packing.chunks > 1 else equal(chunk, 0)):
            for first, size, part, _ in self._pixel_tiles(rows):
                self._divide(source, first, size, self._begin(number + part))
        for columns in self._column_tiles(chunk):
            means = Means(self.at, columns.channel, columns.widths, self.ending) if self.pool else None
            if means is not None:
                means.start()
            for first, size, part, parts in self._pixel_tiles(rows):
                ahead = Prefetch(self._ahead(columns, parts), part, parts) if self.prefetch else None
                stream = self._stream(columns, part, parts, chunk)
                tile = self._products(columns, first, size, self._begin(number + part), bases, ahead, stream)
                if means is not None:
                    means.add(tile)
                else:
                    self._store(tile, columns, first, bases)
            if means is not None:
                means.finish()

    def _number(self, row: Index, rows: int) -> Index:
        """The number of the first tile of a span: of rows that come one by one every one has tiles of its own."""
        if rows == self.rows or self.packing.chunks > 1:
            return 0
        tiles = sum(count for _, _, count in balanced_split(self.at.stage.shape.columns, self.tile.pixels))
        return self.at.k.bind(modulo(row, self.rows) * tiles, "number")

    def _begin(self, part: Index) -> Index:
        """The element of ``work`` where tile number ``part`` lies."""
        return self.at.k.bind(part * tile_elements(self._cut, self.tile.pixels), "work")

    def _iterations(self) -> int:
        return self._cut.thirds.run // self._step()

    def _step(self) -> int:
        return groups_at_once(self.tile.unroll, self._cut.thirds)

    def _place(self, vector: Index, size: int) -> Index:
        """Where the first pixel of a vector of K lies in a tile: vectors of all pixels follow each other."""
        return vector * (size * self._cut.thirds.lanes)

    def _divide(self, source: Index, first: Pixel, size: int, begin: Index) -> None:
        """Store a tile's pixels divided by a power of two each, the three thirds of K vector by vector, and sums."""
        k, lanes = self.at.k, self._cut.thirds.lanes
        lefts = [k.bind(source + self._source_pixel(first, pixel), "left") for pixel in range(size)]
        shares = self._shares(lefts, begin)
        sums = self._zeros(size)
        vectors, every = self._cut.thirds.run // lanes, self._cut.depth // lanes

        def divide(vector: Index, pixel: int, place: Index) -> Value:
            value = self._vector(lefts[pixel], vector) * k.broadcast(shares[pixel], lanes)
            value = k.bind(value, "divided")
            k.store(self.work, begin + place + pixel * lanes, value, lanes)
            return value

        with k.loop(vectors, "vector") as vector:
            for pixel, total in enumerate(sums):
                places = [self._place(vector * GROUP + third, size) for third in range(GROUP)]
                one, two, _ = (divide(vector + third * vectors, pixel, at) for third, at in enumerate(places))
                total.set(k.fma(one, two, total.get(), self.at.provider.dtype, lanes))
        with k.loop(every - GROUP * vectors, "vector") as vector:
            for pixel in range(size):
                divide(vector + GROUP * vectors, pixel, self._place(vector + GROUP * vectors, size))
        for pixel, total in enumerate(sums):
            k.store(self.work, self._sum(begin, size, pixel), self._added(total.get(), lanes))

    def _sum(self, begin: Index, size: int, pixel: int) -> Index:
        """Where a pixel's sum lies."""
        return begin + (size * self._cut.depth + pixel)

    def _root(self, begin: Index, size: int, pixel: int) -> Index:
        """Where that lies which a pixel was divided by."""
        return self._sum(begin, size, pixel) + size

    def _vector(self, left: Index, vector: Index) -> Value:
        """Vector number ``vector`` of a pixel's values of K."""
        plane, lanes = self.at.sources[0].layout, self._cut.thirds.lanes
        channel = vector * lanes
        offset = channel
        if plane.blocks > 1:
            offset = divided(channel, plane.block) * plane.block_stride + modulo(channel, plane.block)
        return self.at.k.load(self.at.sources[0].buffer, left + offset, lanes)

    def _zeros(self, count: int) -> list[Register]:
        registers = [self.at.k.register(self.at.provider.dtype, self._cut.thirds.lanes) for _ in range(count)]
        for register in registers:
            register.set(zero(self.at.provider, self._cut.thirds.lanes))
        return registers

    def _shares(self, lefts: list[Index], begin: Index) -> list[Value]:
        """What pixels are multiplied by: one over the power of two below their root mean square, which is stored.

        It depends on nothing but the pixel, so that however an image is cut, its pixels have the same bits.
        """
        k, dtype, lanes = self.at.k, self.at.provider.dtype, self._cut.thirds.lanes
        squares = self._zeros(len(lefts))
        with k.loop(self._cut.depth // lanes, "vector") as vector:
            for left, total in zip(lefts, squares, strict=True):
                value = k.bind(self._vector(left, vector), "value")
                total.set(k.fma(value, value, total.get(), dtype, lanes))
        shares = []
        for pixel, total in enumerate(squares):
            mean = k.bind(self._added(total.get(), lanes) * constant(1.0 / self._cut.depth, dtype), "mean")
            exponent = k.reinterpreted(mean, "int32") >> FRACTION
            half = k.bind((exponent + BIAS) >> 1, "half")
            k.store(self.work, self._root(begin, len(lefts), pixel), k.reinterpreted(half << FRACTION, dtype))
            shares.append(k.bind(k.reinterpreted((2 * BIAS - half) << FRACTION, dtype), "share"))
        return shares

    def _added(self, vector: Value, lanes: int) -> Value:
        """The sum of a vector's values."""
        k = self.at.k
        while lanes > 1:
            vector, lanes = k.bind(vector, "half"), lanes // 2
            vector = k.part(vector, 0, lanes) + k.part(vector, lanes, lanes)
        return k.bind(vector, "sum")

    def _products(
        self,
        columns: ColumnTile,
        first: Pixel,
        size: int,
        begin: Index,
        bases: dict[int, Index],
        prefetch: Prefetch | None = None,
        stream: Stream | None = None,
    ) -> MatrixTile:
        """Fill one register tile from the divided pixels at ``begin``: all but its clamp."""
        k, provider, width = self.at.k, self.at.provider, sum(columns.widths)
        tile = MatrixTile(k, provider, size, columns.widths)
        starts = self._row(columns, columns.weights)
        sums = [k.bind(k.load(self.work, self._sum(begin, size, pixel)), "sum") for pixel in range(size)]
        tile.start(lambda pixel, offset, lanes: starts[offset] - k.broadcast(sums[pixel], lanes))
        if stream is None and self.at.next_weights is not None:
            stream = self.at.next_weights.stream(self._iterations())
        weights = Weights(self.at.weights, k.bind(columns.weights + FACTORS * width, "weights"), width)
        self._add_groups(tile, begin, weights, prefetch, stream)
        self._add_rest(tile, begin, weights)
        factors, more = self._row(columns, columns.weights + width), self._more(columns, first, bases)
        roots = [k.bind(k.load(self.work, self._root(begin, size, pixel)), "root") for pixel in range(size)]

        def completed(pixel: int, offset: int, lanes: int, value: Value) -> Value:
            factor = factors[offset] * k.broadcast(roots[pixel], lanes)  # exact: both are powers of two
            return k.fma(value, factor, more(pixel, offset, lanes), provider.dtype, lanes)

        tile.change(completed)
        return tile

    def _row(self, columns: ColumnTile, at: Index) -> dict[int, Value]:
        """A row of a column tile's weights, by the vectors' offsets."""
        k, found, offset = self.at.k, {}, 0
        for lanes in columns.widths:
            found[offset] = k.bind(k.load(self.at.weights, at + offset, lanes), "row")
            offset += lanes
        return found

    def _more(self, columns: ColumnTile, first: Pixel, bases: dict[int, Index]) -> Callable[[int, int, int], Value]:
        """What is added to complete sums: those of other chunks, or the bias, and a shortcut before any clamp."""
        partial = self.packing.chunks > 1
        plane = self.at.results[0] if partial else self._early
        biases = {} if partial else self._row(columns, columns.bias)

        def more(pixel: int, offset: int, lanes: int) -> Value:
            if plane is None:
                return biases[offset]
            loaded = self._load(plane, bases, first, pixel, columns.channel + offset, lanes)
            return loaded if partial else biases[offset] + loaded

        return more

    def _add_groups(
        self, tile: MatrixTile, begin: Index, weights: Weights, prefetch: Prefetch | None, stream: Stream | None
    ) -> None:
        """Walk the groups of K: a product of sums for two values, and a product for the third."""
        k, step, thirds = self.at.k, self._step(), self._cut.thirds
        third, steps = self._place(1, tile.pixels), thirds.lanes // step
        with k.loop(thirds.run // thirds.lanes, "block") as block, k.loop(steps, "depth") as inner:
            here = weights.advance(block * (GROUP * thirds.lanes) + inner * (GROUP * step))
            here = Weights(here.buffer, k.bind(here.base, "weights"), here.columns)
            tile.fetch(here, GROUP * step, block * steps + inner, prefetch, stream)
            at = k.bind(begin + self._place(block * GROUP, tile.pixels) + inner * step, "pixels")
            for group in range(step):
                one, two, alone = (tile.load_weights(here, GROUP * group + row) for row in range(GROUP))
                lefts = [at + (group + pixel * thirds.lanes) for pixel in range(tile.pixels)]
                for pixel, left in enumerate(lefts):
                    values = (k.bind(k.load(self.work, left + number * third), "pixel") for number in range(2))
                    tile.add_product_of_sums(pixel, tuple(values), (two, one))
                for pixel, left in enumerate(lefts):
                    self._add_product(tile, pixel, left + 2 * third, alone)

    def _add_rest(self, tile: MatrixTile, begin: Index, weights: Weights) -> None:
        """Multiply what is left of K."""
        k, thirds = self.at.k, self._cut.thirds
        done, step = GROUP * thirds.run, min(4, thirds.lanes)
        at = begin + self._place(done // thirds.lanes, tile.pixels)
        with k.loop((self._cut.depth - done) // thirds.lanes, "block") as block:
            with k.loop(thirds.lanes // step, "depth") as inner:
                here = weights.advance(done + block * thirds.lanes + inner * step)
                first = k.bind(at + self._place(block, tile.pixels) + inner * step, "pixels")
                for value in range(step):
                    row = tile.load_weights(here, value)
                    for pixel in range(tile.pixels):
                        self._add_product(tile, pixel, first + (value + pixel * thirds.lanes), row)

    def _add_product(self, tile: MatrixTile, pixel: int, left: Index, row: list[Value]) -> None:
        value = self.at.k.bind(self.at.k.load(self.work, left), "pixel")
        tile.add_product(pixel, lambda lanes: self.at.k.broadcast(value, lanes), row)
