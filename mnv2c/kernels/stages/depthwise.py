"""The depthwise stage: a k x k window per channel, one vector of channels at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnv2c.kernels.ir import Index, Value
from mnv2c.kernels.microkernels.base import DepthwiseRow
from mnv2c.kernels.packing import DepthwisePacking
from mnv2c.kernels.stages.base import EmitContext, columns_of


@dataclass(frozen=True)
class DepthwiseStage:
    """Emitter of one depthwise stage: ``pixels`` neighbouring outputs per iteration, ``group`` of them interleaved.

    ``by_channel`` and ``exact`` are those of `schedule.record.DepthwiseTile`.
    """

    at: EmitContext
    packing: DepthwisePacking
    pixels: int
    group: int
    by_channel: bool = False
    exact: bool = False

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows)."""
        k = self.at.k
        if self.by_channel and rows > 1:
            for channel, lanes, weights in self._vectors(chunk):
                bias, taps = self._loaded(lanes, weights)
                with k.loop(rows, "row") as index:
                    sources, results = self._rows(k.bind(row + index, "row"))
                    self._emit_vector(channel, lanes, bias, taps, sources, results)
            return
        with k.loop(rows, "row") as index:
            sources, results = self._rows(k.bind(row + index, "row"))
            for channel, lanes, weights in self._vectors(chunk):
                bias, taps = self._loaded(lanes, weights)
                self._emit_vector(channel, lanes, bias, taps, sources, results)

    def _rows(self, row: Index) -> tuple[list[Index], list[Index]]:
        """Return the element indices of the window's rows, and of result row ``row``, without column and channel."""
        k, window, plane = self.at.k, self.at.stage.window, self.at.sources[0]
        first = row * window.stride[0] - window.padding[0][0]
        left = plane.pixel(window.padding[1][0])
        sources = [
            k.bind(plane.row(k, first + tap * window.dilation[0]) - left, "source") for tap in range(window.kernel[0])
        ]
        return sources, [plane.row(k, row) for plane in self.at.results]

    def _vectors(self, chunk: Index | None) -> Iterator[tuple[Index, int, Index]]:
        """Walk the channels a vector at a time: yields (channel, lanes, index of its weights) inside a loop."""
        k, packing = self.at.k, self.packing
        planes = (*self.at.results, self.at.sources[0])
        channels = min(plane.layout.channels for plane in planes)  # only rings have padding channels
        channels = self.at.stage.shape.channels if self.exact else channels
        full = channels // packing.lanes
        start: Index = 0
        if chunk is not None:
            start = k.bind(start + chunk * (full * packing.block_elements), "chunk")
        first, count = self.at.share.of_vectors(k, full)
        with k.loop(count, "vector") as index:
            if full:
                vector = index + first
                yield vector * packing.lanes, packing.lanes, k.bind(start + vector * packing.block_elements, "weights")
        channel, within = full * packing.lanes, 0
        with k.when(self.at.share.has_vector(full)):
            for lanes in self.at.provider.widths(channels - channel):
                yield channel + within, lanes, start + full * packing.block_elements + within
                within += lanes

    def _loaded(self, lanes: int, weights: Index) -> tuple[Value, list[tuple[int, int, Value]]]:
        """Load the bias and the taps of one vector of channels."""
        k, packing, window = self.at.k, self.packing, self.at.stage.window
        bias = k.bind(k.load(self.at.weights, weights, lanes), "bias")
        taps: list[tuple[int, int, Value]] = []
        for tap_column in range(window.kernel[1]):
            for tap_row in range(window.kernel[0]):
                index = weights + (1 + tap_row * window.kernel[1] + tap_column) * packing.lanes
                weight = k.bind(k.load(self.at.weights, index, lanes), "weight")
                taps.append((tap_row, tap_column * window.dilation[1], weight))
        return bias, taps

    def _emit_vector(
        self,
        channel: Index,
        lanes: int,
        bias: Value,
        taps: list[tuple[int, int, Value]],
        sources: list[Index],
        results: list[Index],
    ) -> None:
        k = self.at.k
        for first, count in columns_of(k, self.at.stage.shape.columns, self.pixels, "pixels"):
            self._emit_pixels(channel, lanes, taps, bias, sources, results, first, count)

    def _emit_pixels(
        self,
        channel: Index,
        lanes: int,
        taps: list[tuple[int, int, Value]],
        bias: Value,
        sources: list[Index],
        results: list[Index],
        first: Index,
        count: int,
    ) -> None:
        k, plane, stride = self.at.k, self.at.sources[0], self.at.stage.window.stride[1]
        bases = [k.bind(source + plane.pixel(first * stride) + plane.channel(channel), "base") for source in sources]

        def store(pixel: int, value: Value) -> None:
            for result, base in zip(self.at.results, results, strict=True):
                index = base + result.pixel(first + pixel) + result.channel(channel)
                k.store(result.buffer, index, value, lanes)

        if self.at.has_window(count, lanes):
            weights = {(row, column): weight for row, column, weight in taps}
            sums = self.at.provider.window(k, plane.buffer, bases, weights, [bias] * count, stride)
            for pixel, total in enumerate(sums):
                store(pixel, self.at.provider.clamp(k, total, lanes, self.at.stage.activation))
            return
        seen: dict[tuple[int, int], Value] = {}

        def load(row: int, pixel: int, column: int) -> Value:
            place = row, pixel * stride + column
            if place not in seen:
                seen[place] = k.bind(k.load(plane.buffer, bases[row] + plane.pixel(place[1]), lanes), "pixel")
            return seen[place]

        row = DepthwiseRow(k, self.at.provider, lanes)
        for start in range(0, count, self.group):
            pixels = range(start, min(count, start + self.group))
            row.emit(pixels, taps, bias, load, store, self.at.stage.activation)
