"""Global average pooling on its own, for networks whose pooled layer is not a pointwise convolution."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Index, constant
from mnv2c.kernels.microkernels.base import zero
from mnv2c.kernels.stages.base import EmitContext


@dataclass(frozen=True)
class PoolStage:
    """Emitter of a global average: reads every row of its source, a vector of channels at a time."""

    at: EmitContext

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit the single result row."""
        k, provider, channels = self.at.k, self.at.provider, self.at.stage.shape.channels
        full, rest = divmod(channels, provider.lanes)
        with k.loop(full, "vector") as index:
            if full:
                self._mean(index * provider.lanes, provider.lanes)
        channel = full * provider.lanes
        for lanes in provider.widths(rest):
            self._mean(channel, lanes)
            channel += lanes

    def _mean(self, channel: Index, lanes: int) -> None:
        k, provider, (source,), shape = self.at.k, self.at.provider, self.at.sources, self.at.shape
        total = k.register(provider.dtype, lanes)
        total.set(zero(provider, lanes))
        with k.loop(shape.rows, "row") as row:
            start = k.bind(source.row(k, row) + source.channel(channel), "row")
            with k.loop(shape.columns, "pixel") as pixel:
                total.set(total.get() + k.load(source.buffer, start + source.pixel(pixel), lanes))
        mean = total.get() * constant(1.0 / shape.pixels, provider.dtype, lanes)
        for result in self.at.results:
            index = result.row(k, 0) + result.channel(channel)
            k.store(result.buffer, index, provider.clamp(k, mean, lanes, self.at.stage.activation), lanes)
