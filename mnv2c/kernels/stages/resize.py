"""Bilinear resizing, and the class of the largest upsampled logit, which needs none of them in memory.

An output row lies between two source rows, which are blended first: a row of source columns. Between two of those
every channel is linear, so that a vector of neighbouring outputs takes one fused product per class, and a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm import tirx

from mnv2c.kernels.ir import Buffer, Index, Register, Value, cast, constant, divided, limited, maximum, minimum
from mnv2c.kernels.planes import Plane
from mnv2c.kernels.resizing import Resizing
from mnv2c.kernels.stages.base import EmitContext
from mnv2c.plan.resampling import Axis

COPY_VECTORS = 2
"""Vectors per iteration of the loops over a row."""


@dataclass(frozen=True)
class ResizeStage:
    """Emitter of a resize; with ``resizing.argmax`` the results are labels."""

    at: EmitContext
    resizing: Resizing
    work: Buffer

    def start(self) -> None:
        """Note the weights of all output columns, once per call."""
        k, columns = self.at.k, self.resizing.columns
        with k.loop(columns.outputs, "column") as column:
            _, weight = self._position(columns, column)
            k.store(self.work, self.resizing.weights + column, weight)
        with k.loop(self.resizing.block, "column") as column:
            k.store(self.work, self.resizing.weights + columns.outputs + column, self._constant(0.0))

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows)."""
        k, columns = self.at.k, self.resizing.columns
        with k.loop(rows, "row") as index:
            here = k.bind(row + index, "row")
            self._blend(here)
            results = [(plane, plane.row(k, here)) for plane in self.at.results]
            with k.loop(columns.segments, "segment") as segment:
                first, end = self._first(segment), self._first(segment + 1)
                if self.resizing.argmax:
                    self._label(segment, first, end)
                else:
                    self._interpolate(segment, first, end, results)
            if self.resizing.argmax:
                self._store_labels(results)

    def _position(self, axis: Axis, output: Index) -> tuple[Index, Value]:
        """Return the segment in which an output lies, and the weight of its end."""
        k = self.at.k
        at = k.bind(limited(output * axis.scale + axis.offset, 0, axis.last), "at")
        segment = k.bind(minimum(divided(at, axis.denominator), axis.segments - 1), "segment")
        part = cast(at - segment * axis.denominator, self.at.provider.dtype)
        return segment, k.bind(part / self._constant(float(axis.denominator)), "weight")

    def _first(self, segment: Index) -> Index:
        """Return the first output of a segment (`Axis.first`)."""
        k, axis = self.at.k, self.resizing.columns
        if isinstance(segment, int):
            return axis.first(segment)
        above = divided(maximum(segment * axis.denominator - axis.offset, 0) + axis.scale - 1, axis.scale)
        inner = minimum(above, axis.outputs)
        late = tirx.Select(segment >= axis.segments, tirx.IntImm("int32", axis.outputs), inner)
        return k.bind(tirx.Select(segment <= 0, tirx.IntImm("int32", 0), late), "first")

    def _constant(self, value: float, lanes: int = 1) -> Value:
        return constant(value, self.at.provider.dtype, lanes)

    def _vectors(self, elements: int) -> Iterator[tuple[Index, int]]:
        """Walk ``elements``: yields (first, lanes) inside a loop."""
        k, lanes = self.at.k, self.at.provider.lanes
        step = lanes * COPY_VECTORS
        with k.loop(elements // step, "vectors") as index:
            for vector in range(COPY_VECTORS if elements >= step else 0):
                yield k.bind(index * step + vector * lanes, "element"), lanes
        done = elements // step * step
        for width in self.at.provider.widths(elements - done):
            yield done, width
            done += width

    def _blend(self, row: Index) -> None:
        """Interpolate between the two source rows of an output row, and note the slopes between columns."""
        k, (source,), needs, dtype = self.at.k, self.at.sources, self.resizing, self.at.provider.dtype
        segment, weight = self._position(needs.rows, row)
        above = source.row(k, segment)
        below = source.row(k, k.bind(minimum(segment + 1, needs.rows.inputs - 1), "below"))
        for element, lanes in self._vectors(needs.columns.inputs * needs.channels):
            high = k.bind(k.load(source.buffer, above + element, lanes), "above")
            low = k.load(source.buffer, below + element, lanes)
            k.store(
                self.work, needs.row + element, k.fma(k.broadcast(weight, lanes), low - high, high, dtype, lanes), lanes
            )
        for element, lanes in self._vectors(needs.columns.segments * needs.channels):
            slope = self._constant(0.0, lanes)
            if needs.columns.inputs > 1:
                left = k.load(self.work, needs.row + element, lanes)
                slope = k.load(self.work, needs.row + needs.channels + element, lanes) - left
            k.store(self.work, needs.slopes + element, slope, lanes)

    def _label(self, segment: Index, first: Index, end: Index) -> None:
        """Write the labels of outputs [first, end), and of some behind them."""
        k, needs = self.at.k, self.resizing
        left = k.bind(segment * needs.channels, "left")
        count = k.bind(divided(end - first + needs.block - 1, needs.block), "blocks")
        with k.loop(count, "block") as block:
            self._label_block(left, k.bind(first + block * needs.block, "column"))

    def _label_block(self, left: Index, column: Index) -> None:
        k, needs, dtype, lanes = self.at.k, self.resizing, self.at.provider.dtype, self.resizing.lanes
        vectors = range(needs.block // lanes)
        weights = [
            k.bind(k.load(self.work, needs.weights + column + vector * lanes, lanes), "weights") for vector in vectors
        ]
        best = [k.register(dtype, lanes) for _ in vectors]
        label = [k.register(dtype, lanes) for _ in vectors]
        number = k.register(dtype, lanes)
        number.set(self._constant(0.0, lanes))

        def logits(channel: Index, vector: int) -> Value:
            value, slope = (k.bind(k.load(self.work, start + left + channel)) for start in (needs.row, needs.slopes))
            return k.fma(weights[vector], k.broadcast(slope, lanes), k.broadcast(value, lanes), dtype, lanes)

        for vector in vectors:
            best[vector].set(logits(0, vector))
            label[vector].set(self._constant(0.0, lanes))
        with k.loop(needs.channels - 1, "class", start=1) as channel:
            number.set(number.get() + self._constant(1.0, lanes))
            for vector in vectors:
                self._compare(best[vector], label[vector], logits(channel, vector), number.get())
        for vector in vectors:
            k.store(self.work, needs.labels + column + vector * lanes, label[vector].get(), lanes)

    def _compare(self, best: Register, label: Register, logits: Value, number: Value) -> None:
        """Only a larger logit replaces the best one: the lowest class wins a tie."""
        k = self.at.k
        logits = k.bind(logits, "logits")
        larger = logits > best.get()
        label.set(tirx.Select(larger, number, label.get()))
        best.set(tirx.Select(larger, logits, best.get()))

    def _store_labels(self, results: list[tuple[Plane, Index]]) -> None:
        k, dtype = self.at.k, self.at.stage.dtype
        for element, lanes in self._vectors(self.resizing.columns.outputs):
            labels = k.bind(cast(k.load(self.work, self.resizing.labels + element, lanes), "int32", lanes), "labels")
            for plane, start in results:
                k.store(plane.buffer, start + element, cast(labels, dtype, lanes), lanes)

    def _interpolate(self, segment: Index, first: Index, end: Index, results: list[tuple[Plane, Index]]) -> None:
        """Write all channels of outputs [first, end)."""
        k, needs = self.at.k, self.resizing
        left, count = k.bind(segment * needs.channels, "left"), k.bind(end - first, "count")
        for channel, lanes in self._channels():
            value, slope = (
                k.bind(k.load(self.work, start + left + channel, lanes)) for start in (needs.row, needs.slopes)
            )
            with k.loop(count, "column") as index:
                column = k.bind(first + index, "column")
                weight = k.broadcast(k.bind(k.load(self.work, needs.weights + column)), lanes)
                result = k.bind(k.fma(weight, slope, value, self.at.provider.dtype, lanes), "result")
                for plane, start in results:
                    k.store(plane.buffer, start + plane.pixel(column) + plane.channel(channel), result, lanes)

    def _channels(self) -> Iterator[tuple[Index, int]]:
        """Walk the channels: yields (first, lanes) inside a loop over whole vectors."""
        k, provider = self.at.k, self.at.provider
        full, rest = divmod(self.resizing.channels, provider.lanes)
        with k.loop(full, "vector") as index:
            if full:
                yield index * provider.lanes, provider.lanes
        channel = full * provider.lanes
        for width in provider.widths(rest):
            yield channel, width
            channel += width
