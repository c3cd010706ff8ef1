"""The chain emitter: order of stages, rings, row steps. It does not know what any stage computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mnv2c.errors import CompilerError
from mnv2c.kernels import strassen, summed
from mnv2c.kernels.columns import Placed, placed_units
from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, both, divided, equal, maximum, negated, outside
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.next_weights import has_room, next_weights_of
from mnv2c.kernels.packing import DepthwisePacking, MatrixPacking
from mnv2c.kernels.planes import Layout, Plane, Rows
from mnv2c.kernels.share import Share
from mnv2c.kernels.stages.argmax import ArgmaxStage
from mnv2c.kernels.stages.base import EmitContext
from mnv2c.kernels.stages.carried import CarriedDepthwise
from mnv2c.kernels.stages.clipped import ClippedStage
from mnv2c.kernels.stages.depthwise import DepthwiseStage
from mnv2c.kernels.stages.load import LoadStage
from mnv2c.kernels.stages.matrix import MatrixStage
from mnv2c.kernels.stages.pool import PoolStage
from mnv2c.kernels.stages.resize import ResizeStage
from mnv2c.kernels.stages.strassen import StrassenStage
from mnv2c.kernels.stages.summed import SummedStage
from mnv2c.kernels.stages.tiles import Following
from mnv2c.kernels.units import Unit
from mnv2c.kernels.zeros import Zeros
from mnv2c.plan.chain import MATRIX_KINDS, Shape, StageKind, clips, input_name, is_added_pixel
from mnv2c.plan.parts import Cut, Parts, first_rows, own_row, warm_up
from mnv2c.plan.rows import Nest, nest

Array = npt.NDArray[np.float32]
Emitter = MatrixStage | DepthwiseStage | LoadStage | PoolStage | ResizeStage | ArgmaxStage


def emit_chain(layout: KernelLayout, name: str, parts: Parts | None = None, following: int = 0) -> Any:
    """Return the PrimFunc of a chain; parameters: inputs, outputs (none for one in place), weights by stage, rings.

    With ``parts`` a call computes only one: two int32 follow, the steps [begin, end) of a strip, or phase and part.
    Without, ``following`` bytes behind the last weights, those of the next kernel, are fetched meanwhile.
    """
    return _ChainEmitter(layout, name, parts, following if parts is None else 0).emit()


def pack_weights(layout: KernelLayout, weights: Mapping[str, tuple[Array, Array]]) -> tuple[Array, ...]:
    """Pack every stage's (filter, bias) in the order the kernel reads it; one array per parameter."""
    return tuple(packing.pack(*weights[stage]) for stage, packing in layout.packings.items())


class _ChainEmitter:
    def __init__(self, layout: KernelLayout, name: str, parts: Parts | None, following: int) -> None:
        self.layout, self.k, self.parts = layout, KernelBuilder(name), parts
        self._planes: dict[str, list[Plane]] = {}
        self._sums: dict[str, Plane] = {}
        self._work: dict[str, Buffer] = {}
        self._zeros = Zeros(self.k, layout, self._planes)
        self._declare_tensors()
        # A pointer per stage: as one block, LLVM folds each stage's offset into its loads, too far for LDP to reach.
        self._weights = {
            name: self.k.parameter(f"weights_{name}", packing.elements, layout.provider.dtype)
            for name, packing in layout.packings.items()
        }
        self._declare_scratch()
        self._next_weights = next_weights_of(self.k, layout, self._weights, following)
        self._begin: Index = 0
        self._end: Index = layout.flow.last_step
        self._low: dict[str, Index] = {}
        if parts is not None and parts.cut is Cut.STRIPS:
            self._begin, self._end = self.k.scalar("begin"), self.k.scalar("end")
        self._carried: dict[str, CarriedDepthwise] = {}
        self._emitters = {unit.result: self._emitter(unit) for unit in layout.units}

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
        rows = Rows.SAME if is_added_pixel(self.layout.chain, name) else Rows.ALL
        self._planes[name] = [Plane(buffer, Layout(shape.rows, shape.columns, shape.channels, block), rows)]
        return buffer

    def _result_shape(self, name: str) -> Shape:
        return self.layout.chain.stage(name).shape

    def _tensor(self, name: str, shape: Shape, buffer: Buffer | None = None) -> Buffer:
        if buffer is None:
            buffer = self.k.parameter(name, shape.elements, self.layout.chain.stage(name).dtype)
        layout = Layout(shape.rows, shape.columns, shape.channels, shape.channels)
        self._planes[name] = [Plane(buffer, layout, Rows.ALL)]
        return buffer

    def _declare_scratch(self) -> None:
        for region, elements in zip(self.layout.regions, self.layout.scratch, strict=True):
            buffer = self.k.parameter(region.name, elements, self.layout.provider.dtype)
            for name in region.planes:
                if name in self.layout.rings:
                    # Readers prefer the ring, which carries the padding, to a side output of the same rows.
                    plane = Plane(buffer, self.layout.rings[name], self._rows(name))
                    self._planes.setdefault(name, []).insert(0, plane)
                elif name.startswith("work_"):
                    self._work[name.removeprefix("work_")] = buffer
                else:
                    stage = name.removeprefix("sums_")
                    self._sums[stage] = Plane(buffer, self.layout.sums[stage], Rows.RING)

    def _rows(self, name: str) -> Rows:
        rows = self.layout.flow.stages[name]
        if self.layout.flow.whole:
            return Rows.ALL
        return Rows.STEP if rows.lead == rows.again == 0 and rows.ring == rows.rows else Rows.RING

    def _emitter(self, unit: Unit) -> Emitter:
        layout, stage = self.layout, unit.stage
        sources = tuple(self._planes[source][0] for source in stage.sources[:1])
        at = EmitContext(
            self.k,
            layout.provider,
            stage if unit.argmax is None else replace(stage, dtype=unit.argmax.dtype),
            sources,
            tuple(self._planes[unit.result]),
            self._weights.get(stage.name),
            layout.chain.shape(stage.sources[0]),
            next_weights=self._next_weights if has_room(layout, stage) else None,
        )
        packing = layout.packings.get(stage.name)
        if isinstance(packing, MatrixPacking) and stage.kind in MATRIX_KINDS:
            residual = self._planes[unit.residual][0] if unit.residual else None
            tile, prefetch = layout.tiles[stage.name], layout.schedule.prefetch
            if clips(layout.chain, stage):
                return ClippedStage(at, packing, tile, prefetch, residual, unit.pool, unit.ending)
            following = self._following(unit) if prefetch else None
            folded = (residual, unit.pool, unit.ending, following)
            if isinstance(packing, strassen.StrassenPacking):
                by_columns = strassen.is_by_columns(unit.pool, prefetch, layout.flow.whole)
                work = self._work[unit.result]
                return StrassenStage(at, packing, tile, prefetch, *folded, work=work, by_columns=by_columns)
            if isinstance(packing, summed.SummedPacking):
                by_columns = summed.is_by_columns(unit.pool, prefetch, layout.makes_in_chunks(unit))
                work, rows = self._work[unit.result], layout.rows_at_once(unit)
                return SummedStage(at, packing, tile, prefetch, *folded, work=work, by_columns=by_columns, rows=rows)
            return MatrixStage(at, packing, tile, prefetch, *folded)
        if isinstance(packing, DepthwisePacking):
            row = layout.depthwise[stage.name]
            if row.carry:
                sums = self._sums.get(stage.name)
                self._carried[stage.sources[0]] = CarriedDepthwise(at, packing, row.pixels, row.group, sums, row.again)
            return DepthwiseStage(at, packing, row.pixels, row.group, row.by_channel, row.exact)
        if stage.kind is StageKind.LOAD:
            return LoadStage(at)
        if stage.kind is StageKind.POOL:
            return PoolStage(at)
        if stage.kind is StageKind.RESIZE:
            return ResizeStage(at, layout.resizings[unit.result], self._work[unit.result])
        if stage.kind is StageKind.ARGMAX:
            return ArgmaxStage(at)
        raise CompilerError(f"no kernel for stage kind {stage.kind} ({stage.name})")

    def _following(self, unit: Unit) -> Following | None:
        """The fully connected stage that reads a pooled one chunk by chunk: all its weights are read, each once."""
        for reader in self.layout.chain.consumers(unit.result) if unit.pool else ():
            packing = self.layout.packings.get(reader.name)
            if isinstance(packing, MatrixPacking) and packing.chunks > 1:
                return Following(self._weights[reader.name], packing)
        return None

    def emit(self) -> Any:
        """Emit margins, then the steps."""
        if self.parts is not None and self.parts.cut is Cut.COLUMNS:
            self._emit_columns(self.parts)
            return self.k.finish()
        for unit in self.layout.units:
            if unit.result in self.layout.rings and unit.result not in self._carried:
                self._zeros.margins(self._planes[unit.result][0])
                self._zeros.channels(unit)
        for emitter in self._emitters.values():
            if isinstance(emitter, ResizeStage):
                emitter.start()
        if self.layout.flow.whole:
            self._emit_whole()
        else:
            self._emit_steps()
        if self._next_weights is not None:
            self._next_weights.finish()
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

    def _emit_columns(self, parts: Parts) -> None:
        """Emit the whole image, a phase at a time, every stage for the channels of one part."""
        k, phase, part = self.k, self.k.scalar("phase"), self.k.scalar("part")
        placed = placed_units(self.layout)
        for number in range(parts.phases):
            with k.when(equal(phase, number) if parts.phases > 1 else True):
                for entry in placed:
                    if entry.phase == number:
                        self._emit_share(entry, replace(entry.share, part=part, parts=parts.count))

    def _emit_share(self, placed: Placed, share: Share) -> None:
        k, unit, emitter = self.k, placed.unit, self._emitters[placed.unit.result]
        if unit.result in self.layout.rings:
            plane = self._planes[unit.result][0]
            if plane.layout.block == self.layout.provider.lanes:  # by vector: a window may read them in this phase
                self._zeros.margins(plane, share.of_vectors(k, plane.layout.blocks))
            else:
                with k.when(share.is_last):
                    self._zeros.margins(plane)
            with k.when(share.has_vector(unit.stage.shape.channels // self.layout.provider.lanes)):
                self._zeros.channels(unit)
        rows = unit.stage.shape.rows
        if unit.stage.kind is StageKind.LOAD:
            emitter.emit_rows(*replace(share, tiles=rows).of_tiles(k, rows), None)
        elif unit.stage.kind is StageKind.POOL:
            with k.when(share.is_first):
                emitter.emit_rows(0, rows, None)
        else:
            replace(emitter, at=replace(emitter.at, share=share)).emit_rows(0, rows, None)

    def _emit_steps(self) -> None:
        plan, chain, k = self.layout.flow, self.layout.chain, self.k
        steps = nest([unit.result for unit in self.layout.units], plan)
        start: Index = plan.first_step
        if self.parts is None:
            self._low = dict.fromkeys(plan.stages, 0)
        else:
            first = first_rows(chain, plan)
            self._low = {
                name: k.bind(maximum(self._begin * rows.rate + first[name], 0), "low")
                for name, rows in plan.stages.items()
            }
            start = k.bind(maximum(self._begin + warm_up(chain, plan), plan.first_step), "start")
        with k.loop(k.bind(self._end - start, "steps"), "step") as index:
            self._emit_nest(steps, k.bind(index + start, "step"), range(plan.first_step, plan.last_step))

    def _emit_nest(self, loop: Nest, before: Index, numbers: range) -> None:
        """Emit the passes of one step, or of one pass of the loop around; ``numbers`` are all that come by."""
        numbers = range(numbers.start * loop.trips, numbers.stop * loop.trips)
        k, units = self.k, {unit.result: unit for unit in self.layout.units}
        with k.loop(loop.trips, "pass") as trip:
            number = before if loop.trips == 1 else k.bind(before * loop.trips + trip, "pass")
            for part in loop.body:
                if isinstance(part, Nest):
                    self._emit_nest(part, number, numbers)
                elif part in self._carried:
                    self._emit_carried(units[part], self._carried[part], number, numbers)
                elif not self.layout.carry(part):  # a carried stage has run with the one it reads
                    self._emit_pass(units[part], number, None, numbers)

    def _emit_carried(self, unit: Unit, reader: CarriedDepthwise, number: Index, numbers: range) -> None:
        """Emit a pass of a stage and of the depthwise stage that reads it, chunk by chunk of their channels."""
        k, plane, stage = self.k, self._planes[unit.result][0], reader.at.stage
        lead = self.layout.flow.stages[stage.name].lead
        row = k.bind(number + lead, "row")
        chunks = -(-unit.stage.shape.channels // plane.layout.channels)
        begun = row >= self._low[stage.name] - reader.unfinished
        inside = [known for known in numbers if -reader.unfinished <= known + lead < stage.shape.rows]
        with k.when(both(begun, row < stage.shape.rows)), k.loop(chunks, "chunk") as chunk:
            self._zeros.margins(plane)  # other planes use this memory in between
            self._emit_pass(unit, number, chunk, inside, chunks)
            reader.emit_chunk(row, chunk)

    def _emit_pass(
        self, unit: Unit, number: Index, chunk: Index | None, numbers: Sequence[int], chunks: int = 1
    ) -> None:
        """Emit the rows of one stage in one pass: all together where they are all inside the image, else one by one.

        ``numbers`` are those of all passes that come by, each of them once for each of ``chunks``.
        """
        k, plan, rows = self.k, self.layout.flow, self.layout.flow.stages[unit.result]
        height, low = unit.stage.shape.rows, self._low[unit.result]
        if rows.lead == rows.again == 0 and rows.rate * plan.last_step == height:
            inside = True if plan.first_step == 0 else number >= 0
            if self.parts is not None:
                inside = number * rows.rows + rows.rows > low  # how far a window reaches up may be no multiple
            with k.when(inside, holds=chunks * sum(known >= 0 for known in numbers)):
                self._emit_rows(unit, k.bind(number * rows.rows, "row"), rows.rows, chunk)
            self._zeros.rows(unit, number * rows.rows, rows.rows, True if inside is True else number < 0)
            return
        with k.loop(rows.rows, "row") as index:
            row = k.bind(number * rows.advance + rows.lead + index, "row")
            made = [known * rows.advance + rows.lead + more for known in numbers for more in range(rows.rows)]
            with k.when(both(row >= low, row < height), holds=chunks * sum(0 <= known < height for known in made)):
                self._emit_rows(unit, row, 1, chunk)
            self._zeros.rows(unit, row, 1, outside(row, height))

    def _emit_rows(self, unit: Unit, row: Index, rows: int, chunk: Index | None) -> None:
        """Emit rows of one stage; those of another strip stay in the ring, where the result leaves the chain too."""
        k, emitter, flow = self.k, self._emitters[unit.result], self.layout.flow.stages[unit.result]
        if self.parts is None or len(emitter.at.results) == 1:
            emitter.emit_rows(row, rows, chunk)
            return
        height, last = unit.stage.shape.rows, self.layout.flow.last_step
        begin, end = (bound * flow.rate + own_row(flow) for bound in (self._begin, self._end))
        end = maximum(end, divided(self._end, last) * height)  # the last strip has all that is left
        own = both(row >= begin, row < end)
        with k.when(own):
            emitter.emit_rows(row, rows, chunk)
        with k.when(negated(own)):
            replace(emitter, at=replace(emitter.at, results=emitter.at.results[:1])).emit_rows(row, rows, chunk)
