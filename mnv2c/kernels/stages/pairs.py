"""What the emitter of Strassen's products walks and keeps: pairs of tiles, and register tiles that wait in memory."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, Value
from mnv2c.kernels.microkernels.base import MatrixTile
from mnv2c.kernels.stages.tiles import ColumnTile, Pixel


@dataclass(frozen=True)
class Pair:
    """Two register tiles of ``size`` pixels; the first ``overlap`` of the second belong to the first already."""

    first: Pixel
    second: Pixel
    size: int
    overlap: int
    number: Index


@dataclass(frozen=True)
class ColumnPair:
    """Two neighbouring column tiles, and where their seven right sides start."""

    left: ColumnTile
    right: ColumnTile
    weights: Index


@dataclass(frozen=True)
class Taken:
    """The pixels that a register tile stands for, but the first ``skipped``."""

    first: Pixel
    skipped: int


@dataclass(frozen=True)
class Kept:
    """Register tiles of ``size`` x ``width`` that wait in memory, from element ``begin`` of ``buffer`` on."""

    k: KernelBuilder
    buffer: Buffer
    begin: int
    size: int
    width: int

    def _place(self, slot: int, pixel: int, offset: int) -> int:
        return self.begin + (slot * self.size + pixel) * self.width + offset

    def _load(self, slot: int, pixel: int, offset: int, lanes: int) -> Value:
        return self.k.load(self.buffer, self._place(slot, pixel, offset), lanes)

    def keep(self, tile: MatrixTile, slot: int) -> None:
        """Store the accumulators, which go on."""
        tile.finish(
            lambda pixel, offset, lanes, value: self.k.store(
                self.buffer, self._place(slot, pixel, offset), value, lanes
            )
        )

    def resume(self, tile: MatrixTile, slot: int) -> None:
        """Set the accumulators to what was stored."""
        tile.start(lambda pixel, offset, lanes: self._load(slot, pixel, offset, lanes))

    def add_difference(self, tile: MatrixTile, before: int, slot: int) -> None:
        """Add to ``slot`` what the accumulators have gained since ``before`` was stored."""

        def consume(pixel: int, offset: int, lanes: int, value: Value) -> None:
            gained = value - self._load(before, pixel, offset, lanes)
            total = self._load(slot, pixel, offset, lanes) + gained
            self.k.store(self.buffer, self._place(slot, pixel, offset), total, lanes)

        tile.finish(consume)
