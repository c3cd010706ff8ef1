"""Dense convolutions with dilation that read a whole tensor and leave out the taps outside the image.

With DeepLab's rates most of a window lies outside: 18 rows up and down, of an image of 33, leave 40 % of the products.
Columns are cut where taps enter or leave the image, so that every register tile sees the same ones; of the rows a
kernel asks when it runs. No padded copy of the image is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import Index, Value, divided, maximum, minimum
from mnv2c.kernels.microkernels.base import MatrixTile, Operand, Prefetch, Weights, zero
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.kernels.stages.tiles import ColumnTile, Pixel
from mnv2c.plan.clipping import column_ranges


@dataclass(frozen=True)
class ClippedStage(MatrixStage):
    """Emitter of a matrix stage whose source plane has no margin."""

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows): a column tile's weights serve all of them."""
        k = self.at.k
        for columns in self._column_tiles(chunk):
            with k.loop(rows, "row") as index:
                here = k.bind(row + index, "row")
                bases = {id(plane): plane.row(k, here) for plane in self._planes()[1:]}
                for first, size, taps in self._tiles():
                    self._store(self._sum(columns, here, first, size, taps, bases), columns, first, bases)

    def _tiles(self) -> Iterator[tuple[Pixel, int, tuple[int, ...]]]:
        for part in column_ranges(self.at.stage, self.at.shape):
            for start, size, count in balanced_split(part.count, self.tile.pixels):
                with self.at.k.loop(count, "pixels") as index:
                    pixel = self.at.k.bind(index * size + part.first + start, "pixel")
                    yield Pixel(0, pixel), size, part.taps

    def _rows_inside(self, row: Index) -> tuple[Index, Index]:
        """Return the first tap row inside the image and how many there are."""
        k, window = self.at.k, self.at.stage.window
        dilation, above = window.dilation[0], k.bind(row * window.stride[0] - window.padding[0][0], "above")
        first = k.bind(divided(maximum(0 - above, 0) + dilation - 1, dilation), "first")
        below = maximum(self.at.shape.rows - 1 - above, -1)
        end = minimum(divided(below + dilation, dilation), window.kernel[0])
        return first, k.bind(maximum(end - first, 0), "count")

    def _sum(
        self, columns: ColumnTile, row: Index, first: Pixel, size: int, taps: tuple[int, ...], bases: dict[int, Index]
    ) -> MatrixTile:
        """Fill one register tile with the products of the taps inside the image, and the bias."""
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        tile, early = MatrixTile(k, self.at.provider, size, columns.widths), self._early

        def begin(pixel: int, offset: int, lanes: int) -> Value:
            if early is None:
                return zero(self.at.provider, lanes)
            return self._load(early, bases, first, pixel, columns.channel + offset, lanes)

        tile.start(begin)
        weights, depth = Weights(self.at.weights, columns.weights, sum(columns.widths)), self.packing.padded
        prefetch = Prefetch(columns.elements, 0, 1) if self.prefetch else None
        from_row, count = self._rows_inside(row)
        top, left = window.padding[0][0], window.padding[1][0]
        with k.loop(count, "tap") as index:
            tap_row = k.bind(from_row + index, "tap")
            source = plane.row(k, row * window.stride[0] - top + tap_row * window.dilation[0])
            for tap in taps:
                shift = tap * window.dilation[1] - left
                lefts = tuple(
                    k.bind(source + plane.pixel((first.column + pixel) * window.stride[1] + shift), "left")
                    for pixel in range(size)
                )
                here = weights.advance(k.bind((tap_row * window.kernel[1] + tap) * depth, "depth"))
                operand = Operand(plane.buffer, lefts, plane.layout.block, plane.layout.block_stride)
                tile.accumulate(operand, here, depth, self.tile.unroll, prefetch)
        tile.add(lambda offset, lanes: k.load(self.at.weights, columns.bias + offset, lanes))
        return tile
