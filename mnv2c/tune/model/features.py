"""What a model may know of a choice without running it: one vector of numbers per task and choice, by name.

Most are predictions of the parts of a cost, relative to those of the task's default; the rest says what the analytic
model leaves out: straight-line code, rests of vectors and rows, pressure on registers and caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from mnv2c.kernels.cost import memory_cycles, unit_cycles
from mnv2c.kernels.division import shared_cycles
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.split import balanced_split
from mnv2c.kernels.summed import GROUP, SummedPacking, groups_at_once
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import MATRIX_KINDS, StageKind, stage_madds
from mnv2c.plan.parts import Cut
from mnv2c.schedule.analytic import span
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import Tile
from mnv2c.tune.space.ways import Space

SLOTS = 4
"""Stages of each sort whose knobs are features of their own: the costliest ones; all others count in the averages."""
INSTRUCTION_BYTES = 35
"""Bytes of object file per counted instruction (AVX-512; addresses, which are not all counted, included)."""


class Features:
    """Computes the vectors of one task; ``names`` are those of their entries."""

    def __init__(self, space: Space) -> None:
        self.space, self.task = space, space.task
        self._default = _parts(space, space.task.default, space.layout(space.task.default))
        self._chain = _chain(space)
        self.names = tuple(self.named(space.task.default))

    def vector(self, choice: Choice) -> list[float]:
        """Return the features of ``choice``; raises ScheduleError where it is not in the space."""
        return list(self.named(choice).values())

    def named(self, choice: Choice) -> dict[str, float]:
        """Return the features of ``choice`` by name."""
        layout = self.space.layout(choice)
        parts = _parts(self.space, choice, layout)
        whole = self._default["total"]
        found = {f"{name} / default": value / whole for name, value in parts.items()}
        found |= {f"{name} share": value / parts["total"] for name, value in parts.items() if name != "total"}
        found |= _schedule(choice)
        found |= _memory(self.space, choice, layout)
        found |= _tiles(layout) | _rows(layout)
        return found | self._chain


def _parts(space: Space, choice: Choice, layout: KernelLayout) -> dict[str, float]:
    """Predicted cycles by kind of unit, of memory, and until the last thread is done."""
    cycles, units = {"matrix": 0.0, "depthwise": 0.0, "other": 0.0}, unit_cycles(layout)
    for unit in layout.units:
        kind = "matrix" if unit.stage.kind in MATRIX_KINDS else "other"
        kind = "depthwise" if unit.stage.kind is StageKind.DEPTHWISE else kind
        cycles[kind] += units[unit.result]
    memory = memory_cycles(layout, space.caches)
    alone = sum(cycles.values()) + memory
    shared = alone if choice.parts is None else shared_cycles(layout, choice.parts, space.caches)
    return {**cycles, "memory": memory, "total": shared}


def _schedule(choice: Choice) -> dict[str, float]:
    schedule, parts = choice.schedule, choice.parts
    lengths = [end - begin for begin, end in parts.ranges] if parts is not None else []
    return {
        "rows": float(schedule.rows),
        "whole": float(schedule.rows == 0),
        "chunk": float(schedule.chunk),
        "prefetch": float(schedule.prefetch),
        "in place": float(choice.in_place),
        "parts": float(parts.count if parts is not None else 1),
        "columns": float(parts is not None and parts.cut is Cut.COLUMNS),
        "longest strip": max(lengths) / (sum(lengths) / len(lengths)) if lengths else 1.0,
    }


def _memory(space: Space, choice: Choice, layout: KernelLayout) -> dict[str, float]:
    """Working sets against the caches, and code against what an instruction cache holds."""
    weights = layout.weight_bytes
    scratch = layout.scratch_bytes
    steps = layout.flow.last_step - layout.flow.first_step
    largest = max((packing.elements for packing in layout.packings.values()), default=1)
    chunk = largest * layout.provider.bytes / layout.chunks
    return {
        "scratch / L1": _log(scratch, space.caches.l1),
        "scratch / L2": _log(scratch, space.caches.l2),
        "step / L1": _log(weights / layout.chunks + scratch, space.caches.l1),
        "chunk of weights / L1": _log(chunk, space.caches.l1),
        "weights x steps / L2": _log(weights * steps, space.caches.l2),
        "steps": _log(steps, 1),
        "chunks": _log(layout.chunks, 1),
        "code / L1": _log(space.instructions(choice) * INSTRUCTION_BYTES, space.caches.l1),
        "code / default": space.instructions(choice) / space.default_instructions,
    }


TILE_FEATURES = (
    "pixels",
    "vectors",
    "unroll",
    "accumulators",
    "pressure",
    "loads per product",
    "line",
    "trips",
    "rest of K",
    "rest of vectors",
    "columns made",
    "K walked",
    "uneven",
    "tiles",
    "strassen",
    "summed",
    "streamed",
)
"""What `_tile` tells of a register tile."""


def _tiles(layout: KernelLayout) -> dict[str, float]:
    """Register tiles: averages by products, extremes, and those of the costliest stages."""
    madds = {unit.stage.name: float(stage_madds(layout.chain, unit.stage)) for unit in layout.units}
    rows = [(madds[unit.stage.name], _tile(layout, unit)) for unit in layout.units if unit.stage.name in layout.tiles]
    total = sum(weight for weight, _ in rows) or 1.0
    names = TILE_FEATURES  # also of a chain without matrix stages, such as a resize: all vectors are equally long
    found = {f"mean {name}": sum(weight * values[name] for weight, values in rows) / total for name in names}
    found |= {f"most {name}": max((values[name] for _, values in rows), default=0.0) for name in names}
    slots = sorted(rows, key=lambda row: -row[0])[:SLOTS]
    for index in range(SLOTS):
        values = slots[index][1] if index < len(slots) else dict.fromkeys(names, -1.0)
        found |= {f"{index} {name}": values[name] for name in names}
    return found


def _tile(layout: KernelLayout, unit: Unit) -> dict[str, float]:
    stage, tile, provider = unit.stage, layout.tiles[unit.stage.name], layout.provider
    packing = layout.packings[stage.name]
    assert isinstance(packing, MatrixPacking)  # what `layout` packs for a matrix stage
    pixels = span(layout.chain, stage, layout.schedule.rows)
    pieces = balanced_split(pixels, tile.pixels)
    size = pieces[0][1]
    accumulators = size * tile.vectors
    ring = layout.rings.get(stage.sources[0])
    block = ring.block if ring is not None else packing.padded
    walk = _walk(tile, packing, block)
    return {
        "pixels": float(size),
        "vectors": float(tile.vectors),
        "unroll": float(tile.unroll),
        "accumulators": float(accumulators),
        "pressure": (accumulators + tile.vectors + 1) / provider.registers,
        "loads per product": provider.loads(size, tile.vectors) / accumulators,
        "line": float(accumulators * min(walk.values, packing.depth)),
        "trips": _log(walk.trips, 1),
        "rest of K": float(walk.rest),
        "streamed": _streamed(layout, unit, walk.trips * sum(count for _, _, count in pieces)),
        "rest of vectors": len(packing.tail) / (len(packing.tail) + packing.tiles * len(packing.columns)),
        "columns made": packing.total_columns / stage.shape.channels,
        "K walked": packing.padded / packing.channels,
        "uneven": float(len(pieces) > 1),
        "tiles": _log(sum(count for _, _, count in pieces), 1),
        "strassen": float(tile.strassen),
        "summed": float(tile.summed),
    }


@dataclass(frozen=True)
class _Walk:
    """How a tile's loop walks K: ``values`` in each of ``trips``, and what is left."""

    values: int
    trips: int
    rest: int


def _walk(tile: Tile, packing: MatrixPacking, block: int) -> _Walk:
    if isinstance(packing, SummedPacking):
        run = packing.thirds.run
        step = groups_at_once(tile.unroll, packing.thirds)
        return _Walk(GROUP * step, max(1, run // step), packing.depth - GROUP * run)
    return _Walk(tile.unroll, max(packing.depth // tile.unroll, 1), min(block, packing.depth) % tile.unroll)


def _streamed(layout: KernelLayout, unit: Unit, trips: int) -> float:
    """Lines of a fully connected stage's weights that an iteration of a pooled one fetches; 0 where none are."""
    reader = next(iter(layout.chain.consumers(unit.result)), None)
    packing = layout.packings.get(reader.name) if reader is not None and unit.pool else None
    if not isinstance(packing, MatrixPacking) or packing.chunks == 1 or not layout.schedule.prefetch:
        return 0.0
    own = layout.packings[unit.stage.name]
    assert isinstance(own, MatrixPacking)  # the pooled stage's
    tiles = own.total_columns / packing.chunks / sum(own.columns or own.tail)
    return packing.chunk_elements / layout.provider.line / (trips * max(1.0, tiles))


def _rows(layout: KernelLayout) -> dict[str, float]:
    """Depthwise stages: averages by products, and the knobs of the costliest."""
    stages = [unit.stage for unit in layout.units if unit.stage.kind is StageKind.DEPTHWISE]
    found: dict[str, float] = {}
    rows = []
    for stage in stages:
        row = layout.depthwise[stage.name]
        values = {
            "row pixels": float(balanced_split(stage.shape.columns, row.pixels)[0][1]),
            "group": float(min(row.group, row.pixels)),
            "carry": float(row.carry),
            "carried": float(row.carry > 0),
            "again": float(row.again),
            "by channel": float(row.by_channel),
            "exact": float(row.exact),
            "row rest": float(len(balanced_split(stage.shape.columns, row.pixels)) > 1),
            "group rest": float(balanced_split(stage.shape.columns, row.pixels)[0][1] % row.group),
        }
        rows.append((float(stage_madds(layout.chain, stage)), values))
    total = sum(weight for weight, _ in rows) or 1.0
    names = ("row pixels", "group", "carry", "carried", "again", "by channel", "exact", "row rest", "group rest")
    found |= {f"mean {name}": sum(weight * values[name] for weight, values in rows) / total for name in names}
    slots = sorted(rows, key=lambda row: -row[0])[:SLOTS]
    for index in range(SLOTS):
        values = slots[index][1] if index < len(slots) else dict.fromkeys(names, -1.0)
        found |= {f"{index} {name}": values[name] for name in names}
    return found


def _chain(space: Space) -> dict[str, float]:
    """What is the same for all choices of a task, so that records of other chains count by likeness."""
    chain, unit = space.task.chain, space.unit
    last = chain.stages[-1].shape
    return {
        "madds": _log(max(chain.madds, 1), 1),
        "stages": float(len(chain.stages)),
        "depthwise stages": float(len(space.knobs.depthwise)),
        "image": _log(max(stage.shape.pixels for stage in chain.stages), 1),
        "input channels": float(chain.inputs[0].channels),
        "result rows": float(last.rows),
        "result channels": float(last.channels),
        "threads": float(space.task.threads),
        "lanes": float(unit.lanes),
    }


def _log(value: float, unit: float) -> float:
    return log2(max(value, 1e-3) / unit)
