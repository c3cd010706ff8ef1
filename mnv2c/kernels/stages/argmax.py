"""The class of the largest value of every pixel, where no resize comes before it."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from mnv2c.kernels.ir import Index, cast
from mnv2c.kernels.stages.base import EmitContext


@dataclass(frozen=True)
class ArgmaxStage:
    """Emitter of an argmax over channels: pixel by pixel, channel by channel; the lowest class wins a tie."""

    at: EmitContext

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit result rows [row, row + rows)."""
        k, (source,), shape = self.at.k, self.at.sources, self.at.shape
        with k.loop(rows, "row") as index:
            here = k.bind(row + index, "row")
            start = source.row(k, here)
            results = [(plane, plane.row(k, here)) for plane in self.at.results]
            with k.loop(shape.columns, "pixel") as pixel:
                pixel_start = k.bind(start + source.pixel(pixel), "pixel")
                label = self._label(pixel_start)
                for plane, at in results:
                    k.store(plane.buffer, at + plane.pixel(pixel), cast(label, self.at.stage.dtype))

    def _label(self, start: Index) -> Index:
        k, (source,), channels = self.at.k, self.at.sources, self.at.shape.channels
        block = source.layout.block
        best, label = k.register(self.at.provider.dtype, 1), k.register("int32", 1)
        best.set(k.load(source.buffer, start))
        label.set(tirx.IntImm("int32", 0))
        for first in range(0, channels, block):
            count, offset = min(block, channels - first), source.channel(first)
            with k.loop(count, "class") as channel:
                value = k.bind(k.load(source.buffer, start + offset + channel), "value")
                larger = k.bind(value > best.get(), "larger")
                label.set(tirx.Select(larger, k.index(channel + first), label.get()))
                best.set(tirx.Select(larger, value, best.get()))
        return k.bind(label.get(), "label")
