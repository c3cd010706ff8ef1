"""The depthwise stage that carries unfinished sums: every new input row is read once, in the pass that made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.carried import unfinished
from mnv2c.kernels.ir import Index, Value
from mnv2c.kernels.packing import DepthwisePacking
from mnv2c.kernels.planes import Plane
from mnv2c.kernels.stages.base import EmitContext, columns_of


@dataclass(frozen=True)
class _Rows:
    """Where one pass reads and writes, as element indices of (row, column 0) without the channel."""

    sources: list[Index]
    result: Index
    sums: list[Index]


@dataclass(frozen=True)
class CarriedDepthwise:
    """Emitter of one carried depthwise stage.

    ``sums`` keeps unfinished rows; without, the window leaves none, or all its rows are made ``again`` in every pass.
    """

    at: EmitContext
    packing: DepthwisePacking
    pixels: int
    group: int
    sums: Plane | None
    again: bool

    @property
    def new_rows(self) -> int:
        """Input rows of a pass."""
        return self.at.stage.window.reach + 1 if self.again else self.at.stage.window.stride[0]

    @property
    def unfinished(self) -> int:
        """Rows of sums that are left after a pass."""
        return 0 if self.again else unfinished(self.at.stage.window)

    def emit_chunk(self, row: Index, chunk: Index) -> None:
        """Finish result row ``row``, and begin or continue those after it, for one chunk of channels."""
        k, lanes, window, source = self.at.k, self.packing.lanes, self.at.stage.window, self.at.sources[0]
        newest = row * window.stride[0] - window.padding[0][0] + window.reach + 1 - self.new_rows
        left = source.pixel(window.padding[1][0])
        rows = _Rows(
            [k.bind(source.row(k, newest + index) - left, "source") for index in range(self.new_rows)],
            self.at.results[0].row(k, row),
            [self.sums.row(k, row + ahead) for ahead in range(self.unfinished + 1)] if self.sums else [],
        )
        count = source.layout.channels // lanes
        with k.loop(count, "vector") as index:
            vector = k.bind(chunk * count + index, "vector")
            self._emit_vector(index * lanes, vector * lanes, vector * self.packing.block_elements, rows)

    def _emit_vector(self, local: Index, channel: Index, weights: Index, rows: _Rows) -> None:
        """``local`` is the channel within the chunk in flight, ``channel`` the one among all."""
        k, lanes, window = self.at.k, self.packing.lanes, self.at.stage.window
        weights = k.bind(weights, "weights")
        vectors = [
            k.bind(k.load(self.at.weights, weights + index * lanes, lanes), "weight")
            for index in range(window.taps + 1)
        ]
        for first, count in columns_of(k, self.at.stage.shape.columns, self.pixels, "pixels"):
            if self.at.has_window(count, lanes):
                self._emit_windows(count, first, local, channel, vectors, rows)
                continue
            for start in range(0, count, self.group):
                pixels = range(start, min(count, start + self.group))
                self._emit_pixels(pixels, first, local, channel, vectors, rows)

    def _emit_pixels(
        self, pixels: range, first: Index, local: Index, channel: Index, vectors: list[Value], rows: _Rows
    ) -> None:
        k, source, lanes, window = self.at.k, self.at.sources[0], self.packing.lanes, self.at.stage.window
        base = k.bind(source.pixel(first * window.stride[1]) + source.channel(local), "base")
        seen: dict[tuple[int, int], Value] = {}

        def load(row: int, column: int) -> Value:
            if (row, column) not in seen:
                seen[row, column] = k.bind(
                    k.load(source.buffer, rows.sources[row] + base + source.pixel(column), lanes), "pixel"
                )
            return seen[row, column]

        for ahead, begins, taps in self._outputs():
            sums = {pixel: vectors[0] if begins else self._sum(rows, ahead, first + pixel, channel) for pixel in pixels}
            for row, tap in taps:
                for column in range(window.kernel[1]):
                    weight = vectors[1 + tap * window.kernel[1] + column]
                    for pixel in pixels:
                        value = load(row, pixel * window.stride[1] + column * window.dilation[1])
                        total = k.fma(value, weight, sums[pixel], self.at.provider.dtype, lanes)
                        sums[pixel] = k.bind(total, "sum")
            for pixel in pixels:
                self._store(rows, ahead, first + pixel, channel, sums[pixel])

    def _outputs(self) -> Iterator[tuple[int, bool, list[tuple[int, int]]]]:
        """Walk the output rows that a pass adds to: yields (rows ahead, whether sums begin here, their taps)."""
        window = self.at.stage.window
        for ahead in range(self.unfinished + 1):
            # The place of the pass's first row in this output's window, of which every dilation-th row is read.
            oldest = window.reach + 1 - window.stride[0] * ahead - self.new_rows
            taps = self._taps(oldest)
            if ahead == 0 or oldest <= 0 or taps:
                yield ahead, oldest <= 0, taps

    def _taps(self, oldest: int) -> list[tuple[int, int]]:
        """Return the new rows that a window reads in which the first one has place ``oldest``, with their taps."""
        dilation = self.at.stage.window.dilation[0]
        places = ((row, oldest + row) for row in range(self.new_rows))
        return [(row, place // dilation) for row, place in places if place >= 0 and place % dilation == 0]

    def _emit_windows(
        self, count: int, first: Index, local: Index, channel: Index, vectors: list[Value], rows: _Rows
    ) -> None:
        """Compute ``count`` neighbours with the provider's windows, once per row of sums."""
        k, source, window = self.at.k, self.at.sources[0], self.at.stage.window
        base = k.bind(source.pixel(first * window.stride[1]) + source.channel(local), "base")
        for ahead, begins, taps in self._outputs():
            weights = {
                (number, column * window.dilation[1]): vectors[1 + tap * window.kernel[1] + column]
                for number, (_, tap) in enumerate(taps)
                for column in range(window.kernel[1])
            }
            begun = [vectors[0] if begins else self._sum(rows, ahead, first + at, channel) for at in range(count)]
            bases = [rows.sources[row] + base for row, _ in taps]
            sums = self.at.provider.window(k, source.buffer, bases, weights, begun, window.stride[1])
            for pixel, total in enumerate(sums):
                self._store(rows, ahead, first + pixel, channel, total)

    def _place(self, plane: Plane, row: Index, pixel: Index, channel: Index) -> Index:
        return row + plane.pixel(pixel) + plane.channel(channel)

    def _sum(self, rows: _Rows, ahead: int, pixel: Index, channel: Index) -> Value:
        k = self.at.k
        assert self.sums is not None  # a window that leaves no sums begins every one of them
        place = self._place(self.sums, rows.sums[ahead], pixel, channel)
        return k.bind(k.load(self.sums.buffer, place, self.packing.lanes), "sum")

    def _store(self, rows: _Rows, ahead: int, pixel: Index, channel: Index, value: Value) -> None:
        k, lanes, result = self.at.k, self.packing.lanes, self.at.results[0]
        if ahead == 0:
            done = self.at.provider.clamp(k, value, lanes, self.at.stage.activation)
            k.store(result.buffer, self._place(result, rows.result, pixel, channel), done, lanes)
        elif self.sums is not None:
            k.store(self.sums.buffer, self._place(self.sums, rows.sums[ahead], pixel, channel), value, lanes)
