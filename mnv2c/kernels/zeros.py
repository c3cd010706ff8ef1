"""Zeros where windows reach beyond an image: its margins, the rows around it, channels that only fill a vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnv2c.kernels.ir import Index, KernelBuilder
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.microkernels.base import zero
from mnv2c.kernels.planes import Plane
from mnv2c.kernels.units import Unit
from mnv2c.kernels.weights import keeps_padding
from mnv2c.plan.chain import StageKind


@dataclass(frozen=True)
class Zeros:
    """Emits them; ``planes`` are those of every tensor of the chain, the ring first where there is one."""

    k: KernelBuilder
    layout: KernelLayout
    planes: Mapping[str, list[Plane]]

    def rows(self, unit: Unit, first: Index, rows: int, condition: Any) -> None:
        """Fill the slots of rows outside the image with zeros, for readers whose windows reach there."""
        if condition is True or not any(
            reader.window.needs_margin for reader in self.layout.chain.consumers(unit.result)
        ):
            return
        k, plane = self.k, self.planes[unit.result][0]
        layout, lanes = plane.layout, min(plane.layout.block, self.layout.provider.lanes)
        with k.when(condition), k.loop(rows, "row") as index:
            start = k.bind(plane.row(k, k.bind(first + index, "row")) - layout.left * layout.block, "start")
            with k.loop(layout.blocks, "block") as block, k.loop(layout.width, "pixel") as pixel:
                at = start + block * layout.block_stride + pixel * layout.block
                self._zero(plane, at, layout.block, lanes)

    def margins(self, plane: Plane, blocks: tuple[Index, Index] | None = None) -> None:
        """Zero the padding columns, once; rows outside the image too when every row has its own slot.

        ``blocks`` are the first of the plane's blocks of channels and how many, if not all.
        """
        k, layout = self.k, plane.layout
        own_rows = [slot for slot in range(layout.slots) if not self._is_image_row(plane, slot)]
        if not own_rows and not layout.left and not layout.right:
            return
        lanes = min(layout.block, self.layout.provider.lanes)
        row = layout.width * layout.block
        first, count = blocks or (0, layout.blocks)
        with k.loop(count, "block") as index:
            block = index + first
            for slot in own_rows:
                with k.loop(layout.width, "pixel") as pixel:
                    at = block * layout.block_stride + slot * row + pixel * layout.block
                    self._zero(plane, at, layout.block, lanes)
            with k.loop(layout.slots, "slot") as slot:
                for column in (*range(layout.left), *range(layout.left + layout.columns, layout.width)):
                    at = block * layout.block_stride + slot * row + column * layout.block
                    self._zero(plane, at, layout.block, lanes)

    def channels(self, unit: Unit) -> None:
        """Zero the padding channels of the last block, once, where the stage does not write them itself."""
        k, layout, channels = self.k, self.planes[unit.result][0].layout, unit.stage.shape.channels
        kinds = (StageKind.LOAD, StageKind.RESIZE, StageKind.POOL)
        exact = unit.stage.kind in kinds or unit.result in self.layout.chain.outputs
        exact = exact or keeps_padding(self.layout.chain, unit, self.layout.rings)
        if not exact or layout.blocks == 1 or channels == layout.channels:
            return
        used = channels % layout.block
        with k.loop(layout.slots * layout.width, "pixel") as pixel:
            start = (layout.blocks - 1) * layout.block_stride + pixel * layout.block + used
            self._zero(self.planes[unit.result][0], start, layout.block - used, self.layout.provider.lanes)

    def _is_image_row(self, plane: Plane, slot: int) -> bool:
        if not self.layout.flow.whole:
            return True
        height = next(unit.stage.shape.rows for unit in self.layout.units if self.planes[unit.result][0] is plane)
        return plane.layout.top <= slot < plane.layout.top + height

    def _zero(self, plane: Plane, start: Index, elements: int, lanes: int) -> None:
        done = 0
        for width in (lanes,) * (elements // lanes) + self.layout.provider.widths(elements % lanes):
            self.k.store(plane.buffer, start + done, zero(self.layout.provider, width), width)
            done += width
