"""Global average pooling on its own, for networks whose pooled layer is not a pointwise convolution."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Index, constant
from mnv2c.kernels.microkernels.base import zero
from mnv2c.kernels.stages.base import Surroundings


@dataclass(frozen=True)
class PoolStage:
    """Emitter of a global average: reads a whole NHWC tensor, a vector of channels at a time."""

    at: Surroundings

    def emit_rows(self, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit the single result row."""
        k, provider, (source,) = self.at.k, self.at.provider, self.at.sources
        pixels = source.layout.slots * source.layout.columns
        full, rest = divmod(source.layout.channels, provider.lanes)
        with k.loop(full, "vector") as index:
            if full:
                self._mean(index * provider.lanes, provider.lanes, pixels)
        channel = full * provider.lanes
        for lanes in provider.widths(rest):
            self._mean(channel, lanes, pixels)
            channel += lanes

    def _mean(self, channel: Index, lanes: int, pixels: int) -> None:
        k, provider, (source,), (result,) = self.at.k, self.at.provider, self.at.sources, self.at.results
        total = k.register(provider.dtype, lanes)
        total.set(zero(provider, lanes))
        with k.loop(pixels, "pixel") as pixel:
            total.set(total.get() + k.load(source.buffer, source.pixel(pixel) + channel, lanes))
        mean = total.get() * constant(1.0 / pixels, provider.dtype, lanes)
        k.store(result.buffer, channel, mean, lanes)
