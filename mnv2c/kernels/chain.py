"""The chain emitter: order of stages, rings, row steps. It does not know what any stage computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mnv2c.errors import CompilerError
from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, both, outside
from mnv2c.kernels.layout import KernelLayout, Unit
from mnv2c.kernels.microkernels.base import zero
from mnv2c.kernels.packing import DepthwisePacking, MatrixPacking
from mnv2c.kernels.planes import Layout, Plane, Rows
from mnv2c.kernels.stages.base import StageEmitter, Surroundings
from mnv2c.kernels.stages.depthwise import DepthwiseStage
from mnv2c.kernels.stages.load import LoadStage
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.kernels.stages.pool import PoolStage
from mnv2c.plan.chain import MATRIX_KINDS, Shape, StageKind, input_name

Array = npt.NDArray[np.float32]


def emit_chain(layout: KernelLayout, name: str) -> Any:
    """Return the PrimFunc of a chain; parameters: inputs, outputs (none for one in place), weights by stage, rings."""
    return _ChainEmitter(layout, name).emit()


def pack_weights(layout: KernelLayout, weights: Mapping[str, tuple[Array, Array]]) -> tuple[Array, ...]:
    """Pack every stage's (filter, bias) in the order the kernel reads it; one array per parameter."""
    return tuple(packing.pack(*weights[stage]) for stage, packing in layout.packings.items())


class _ChainEmitter:
    def __init__(self, layout: KernelLayout, name: str) -> None:
        self.layout, self.k = layout, KernelBuilder(name)
        self._planes: dict[str, list[Plane]] = {}
        self._declare_tensors()
        # A pointer per stage: as one block, LLVM folds each stage's offset into its loads, too far for LDP to reach.
        self._weights = {
            name: self.k.parameter(f"weights_{name}", packing.elements, layout.provider.dtype)
            for name, packing in layout.packings.items()
        }
        self._declare_rings()
        tiles = iter(layout.schedule.tiles)
        self._emitters = {unit.result: self._emitter(unit, tiles) for unit in layout.units}

    def _declare_tensors(self) -> None:
        chain = self.layout.chain
        inputs = [self._input(input_name(index), shape) for index, shape in enumerate(chain.inputs)]
        for index, name in enumerate(chain.outputs):
            shared = inputs[0] if index == 0 and chain.in_place else None
            self._tensor(name, self._result_shape(name), shared)

    def _input(self, name: str, shape: Shape) -> Buffer:
        """Declare an input; an NCHW tensor is the plane whose blocks are single channels."""
        buffer = self.k.parameter(name, shape.elements, self.layout.provider.dtype)
        block = 1 if self.layout.chain.is_planar(name) else shape.channels
        self._planes[name] = [Plane(buffer, Layout(shape.rows, shape.columns, shape.channels, block), Rows.ALL)]
        return buffer

    def _result_shape(self, name: str) -> Shape:
        return self.layout.chain.stage(name).shape

    def _tensor(self, name: str, shape: Shape, buffer: Buffer | None = None) -> Buffer:
        if buffer is None:
            buffer = self.k.parameter(name, shape.elements, self.layout.provider.dtype)
        layout = Layout(shape.rows, shape.columns, shape.channels, shape.channels)
        self._planes[name] = [Plane(buffer, layout, Rows.ALL)]
        return buffer

    def _declare_rings(self) -> None:
        for name, ring in self.layout.rings.items():
            buffer = self.k.parameter(f"ring_{name}", ring.elements, self.layout.provider.dtype)
            # Readers prefer the ring, which carries the padding, to a side output of the same rows.
            self._planes.setdefault(name, []).insert(0, Plane(buffer, ring, self._rows(name)))

    def _rows(self, name: str) -> Rows:
        rows = self.layout.flow.stages[name]
        if self.layout.flow.whole:
            return Rows.ALL
        return Rows.STEP if rows.lead == 0 and rows.ring == rows.rate else Rows.RING

    def _emitter(self, unit: Unit, tiles: Any) -> StageEmitter:
        schedule, stage = self.layout.schedule, unit.stage
        sources = tuple(self._planes[source][0] for source in stage.sources[:1])
        at = Surroundings(
            self.k,
            self.layout.provider,
            stage,
            sources,
            tuple(self._planes[unit.result]),
            self._weights.get(stage.name),
            self.layout.chain.shape(stage.sources[0]),
        )
        packing = self.layout.packings.get(stage.name)
        if isinstance(packing, MatrixPacking) and stage.kind in MATRIX_KINDS:
            residual = self._planes[unit.residual][0] if unit.residual else None
            return MatrixStage(at, packing, next(tiles), schedule.prefetch, residual, unit.pool, unit.ending)
        if isinstance(packing, DepthwisePacking):
            return DepthwiseStage(at, packing, schedule.depthwise_pixels, schedule.depthwise_group)
        if stage.kind is StageKind.LOAD:
            return LoadStage(at)
        if stage.kind is StageKind.POOL:
            return PoolStage(at)
        raise CompilerError(f"no kernel for stage kind {stage.kind} ({stage.name})")

    def emit(self) -> Any:
        """Emit margins, then the steps."""
        for unit in self.layout.units:
            if unit.result in self.layout.rings:
                self._clear_margins(self._planes[unit.result][0])
                self._clear_channels(unit)
        if self.layout.flow.whole:
            self._emit_whole()
        else:
            self._emit_steps()
        return self.k.finish()

    def _emit_whole(self) -> None:
        chunks, units = self.layout.chunks, self.layout.units
        if chunks == 1:
            for unit in units:
                self._emitters[unit.result].emit_rows(0, unit.stage.shape.rows, None)
            return
        last = self._emitters[units[-1].result]
        if not isinstance(last, MatrixStage):
            raise CompilerError("a chunked chain must end in a matrix stage")
        for unit in units:
            if unit.stage.kind is StageKind.LOAD:
                self._emitters[unit.result].emit_rows(0, unit.stage.shape.rows, None)
        last.start_sums()
        with self.k.loop(chunks, "chunk") as chunk:
            for unit in units:
                if unit.stage.kind is not StageKind.LOAD:
                    self._emitters[unit.result].emit_rows(0, unit.stage.shape.rows, chunk)
        last.finish_sums()

    def _emit_steps(self) -> None:
        plan = self.layout.flow
        with self.k.loop(plan.last_step - plan.first_step, "step") as index:
            step = self.k.bind(index + plan.first_step, "step")
            for unit in self.layout.units:
                self._emit_step(unit, step)

    def _emit_step(self, unit: Unit, step: Index) -> None:
        """Emit the rows of one stage in one step: all together where they are all inside the image, else one by one."""
        k, plan, rows = self.k, self.layout.flow, self.layout.flow.stages[unit.result]
        height, emitter = unit.stage.shape.rows, self._emitters[unit.result]
        if rows.lead == 0 and rows.rate * plan.last_step == height:
            inside = True if plan.first_step == 0 else step >= 0
            with k.when(inside):
                emitter.emit_rows(k.bind(step * rows.rate, "row"), rows.rate, None)
            self._clear_rows(unit, step * rows.rate, rows.rate, True if inside is True else step < 0)
            return
        with k.loop(rows.rate, "row") as index:
            row = k.bind(step * rows.rate + rows.lead + index, "row")
            with k.when(both(row >= 0, row < height)):
                emitter.emit_rows(row, 1, None)
            self._clear_rows(unit, row, 1, outside(row, height))

    def _clear_rows(self, unit: Unit, first: Index, rows: int, condition: Any) -> None:
        """Fill the slots of rows outside the image with zeros, for readers whose windows reach there."""
        if condition is True or not any(reader.window.needs_margin for reader in self._readers(unit)):
            return
        k, plane = self.k, self._planes[unit.result][0]
        layout, lanes = plane.layout, min(plane.layout.block, self.layout.provider.lanes)
        with k.when(condition), k.loop(rows, "row") as index:
            start = k.bind(plane.row(k, k.bind(first + index, "row")) - layout.left * layout.block, "start")
            with k.loop(layout.blocks, "block") as block, k.loop(layout.width, "pixel") as pixel:
                at = start + block * layout.block_stride + pixel * layout.block
                self._zero(plane, at, layout.block, lanes)

    def _readers(self, unit: Unit) -> tuple[Any, ...]:
        return self.layout.chain.consumers(unit.result)

    def _zero(self, plane: Plane, start: Index, elements: int, lanes: int) -> None:
        done = 0
        for width in (lanes,) * (elements // lanes) + self.layout.provider.widths(elements % lanes):
            self.k.store(plane.buffer, start + done, zero(self.layout.provider, width), width)
            done += width

    def _clear_margins(self, plane: Plane) -> None:
        """Zero the padding columns, once; rows outside the image too when every row has its own slot."""
        k, layout = self.k, plane.layout
        own_rows = [slot for slot in range(layout.slots) if not self._is_image_row(plane, slot)]
        if not own_rows and not layout.left and not layout.right:
            return
        lanes = min(layout.block, self.layout.provider.lanes)
        row = layout.width * layout.block
        with k.loop(layout.blocks, "block") as block:
            for slot in own_rows:
                with k.loop(layout.width, "pixel") as pixel:
                    at = block * layout.block_stride + slot * row + pixel * layout.block
                    self._zero(plane, at, layout.block, lanes)
            with k.loop(layout.slots, "slot") as slot:
                for column in (*range(layout.left), *range(layout.left + layout.columns, layout.width)):
                    at = block * layout.block_stride + slot * row + column * layout.block
                    self._zero(plane, at, layout.block, lanes)

    def _clear_channels(self, unit: Unit) -> None:
        """Zero the padding channels of the last block, once, where the stage does not write them itself."""
        k, layout, channels = self.k, self._planes[unit.result][0].layout, unit.stage.shape.channels
        written = unit.stage.kind is not StageKind.LOAD and unit.result not in self.layout.chain.outputs
        if written or layout.blocks == 1 or channels == layout.channels:
            return
        used = channels % layout.block
        with k.loop(layout.slots * layout.width, "pixel") as pixel:
            start = (layout.blocks - 1) * layout.block_stride + pixel * layout.block + used
            self._zero(self._planes[unit.result][0], start, layout.block - used, self.layout.provider.lanes)

    def _is_image_row(self, plane: Plane, slot: int) -> bool:
        if not self.layout.flow.whole:
            return True
        height = next(unit.stage.shape.rows for unit in self.layout.units if self._planes[unit.result][0] is plane)
        return plane.layout.top <= slot < plane.layout.top + height
