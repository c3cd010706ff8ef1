"""The mean over the image that a pooled matrix stage keeps instead of its rows.

The running sums live in the result itself, not in registers: register tiles of the stage leave none free, and one
load and store per tile and column cost nothing beside its products.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Index, Value, constant
from mnv2c.kernels.microkernels.base import MatrixTile, zero
from mnv2c.kernels.stages.base import EmitContext
from mnv2c.plan.chain import Activation


@dataclass(frozen=True)
class Means:
    """Emits the sums of stage ``at`` for ``widths`` channels from ``channel`` on; ``ending`` clamps the mean."""

    at: EmitContext
    channel: Index
    widths: tuple[int, ...]
    ending: Activation | None

    def start(self) -> None:
        """Set the sums to zero."""
        offset = 0
        for lanes in self.widths:
            self._store(offset, zero(self.at.provider, lanes), lanes)
            offset += lanes

    def add(self, tile: MatrixTile, skipped: int = 0) -> None:
        """Add the finished pixels of one register tile, but the first ``skipped``."""
        k = self.at.k
        sums: dict[int, tuple[int, Value]] = {}

        def consume(pixel: int, offset: int, lanes: int, value: Value) -> None:
            if pixel < skipped:
                return
            clamped = self.at.provider.clamp(k, value, lanes, self.at.stage.activation)
            before = sums[offset][1] if offset in sums else self._load(offset, lanes)
            sums[offset] = lanes, k.bind(before + clamped, "sum")

        tile.finish(consume)
        for offset, (lanes, total) in sums.items():
            self._store(offset, total, lanes)

    def finish(self) -> None:
        """Turn the sums into means, in every result plane."""
        k, provider, shape = self.at.k, self.at.provider, self.at.stage.shape
        offset = 0
        for lanes in self.widths:
            share = constant(1.0 / shape.pixels, provider.dtype, lanes)
            mean = k.bind(provider.clamp(k, self._load(offset, lanes) * share, lanes, self.ending), "mean")
            for plane in self.at.results:
                k.store(plane.buffer, plane.channel(self.channel + offset), mean, lanes)
            offset += lanes

    def _load(self, offset: int, lanes: int) -> Value:
        plane = self.at.results[0]
        return self.at.k.load(plane.buffer, plane.channel(self.channel + offset), lanes)

    def _store(self, offset: int, value: Value, lanes: int) -> None:
        plane = self.at.results[0]
        self.at.k.store(plane.buffer, plane.channel(self.channel + offset), value, lanes)
