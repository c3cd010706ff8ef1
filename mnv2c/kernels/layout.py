"""What a kernel needs before a line of it is emitted: its units, the rings between them and its packed weights.

The arena planner reads the ring sizes and the packer the weight layouts from here, the chain emitter both.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.errors import ScheduleError
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.packing import DepthwisePacking, MatrixPacking, Packing
from mnv2c.kernels.planes import Layout
from mnv2c.plan.chain import MATRIX_KINDS, Activation, Chain, Stage, StageKind, with_loads
from mnv2c.plan.rows import Flow, flow
from mnv2c.schedule.record import ChainSchedule, Tile

FOLDABLE = frozenset({StageKind.ADD, StageKind.POOL})
"""Stages that the matrix stage before them absorbs: they need no plane of their own."""


@dataclass(frozen=True)
class Unit:
    """What is emitted together: a stage, and the add or pool folded into it; ``result`` names what leaves it.

    ``ending`` is the clamp of the folded stage, after the stage's own.
    """

    stage: Stage
    result: str
    residual: str | None = None
    pool: bool = False
    ending: Activation | None = None


@dataclass(frozen=True)
class KernelLayout:
    """The layout of one kernel: everything about its memory, nothing about its code.

    ``rings`` are keyed by the result they hold, ``packings`` by stage name, in the order of the kernel's parameters.
    """

    chain: Chain
    schedule: ChainSchedule
    provider: Provider
    flow: Flow
    units: tuple[Unit, ...]
    rings: dict[str, Layout]
    packings: dict[str, Packing]

    @property
    def scratch_elements(self) -> int:
        """Elements of all rings together."""
        return sum(ring.elements for ring in self.rings.values())

    @property
    def chunks(self) -> int:
        """Number of chunks the expanded channels are cut into."""
        matrix = [packing for packing in self.packings.values() if isinstance(packing, MatrixPacking)]
        return max((packing.chunks for packing in matrix), default=1)


def units(chain: Chain) -> tuple[Unit, ...]:
    """Fold every add and pool that can be into the matrix stage it follows."""
    found: list[Unit] = []
    for stage in chain.stages:
        candidates = (index for index in reversed(range(len(found))) if _folds(chain, found[index], stage))
        previous = next(candidates, None)
        if previous is not None:
            before = found[previous]
            others = [source for source in stage.sources if source != before.result]
            residual = others[0] if stage.kind is StageKind.ADD and others else None
            found[previous] = Unit(before.stage, stage.name, residual, stage.kind is StageKind.POOL, stage.activation)
        else:
            found.append(Unit(stage, stage.name))
    return tuple(found)


def _folds(chain: Chain, unit: Unit, stage: Stage) -> bool:
    """Whether ``stage``, an add or pool, alone reads the matrix stage ``unit``; pooling walks plain pixels only."""
    fresh = unit.result == unit.stage.name and unit.stage.kind in MATRIX_KINDS
    read = stage.kind in FOLDABLE and chain.consumers(unit.result) == (stage,) and unit.result not in chain.outputs
    return fresh and read and (stage.kind is StageKind.ADD or unit.stage.window.is_pixel)


def kernel_layout(chain: Chain, schedule: ChainSchedule, provider: Provider) -> KernelLayout:
    """Lay out the kernel of ``chain``; raises ScheduleError when the schedule does not fit the chain."""
    chain = with_loads(chain, provider.gathers)
    plan = flow(chain, schedule.rows)
    parts = units(chain)
    if schedule.rows and any(unit.pool or unit.stage.kind is StageKind.POOL for unit in parts):
        raise ScheduleError("a pooled chain computes the whole image in one step (rows = 0)")
    _check_chunk(chain, schedule, parts)
    rings = {unit.result: _ring(chain, unit, plan, schedule, provider) for unit in parts if _has_ring(chain, unit)}
    packings = _packings(chain, schedule, provider, parts, rings)
    return KernelLayout(chain, schedule, provider, plan, parts, rings, packings)


def _has_ring(chain: Chain, unit: Unit) -> bool:
    return bool(chain.consumers(unit.result))


def _check_chunk(chain: Chain, schedule: ChainSchedule, parts: tuple[Unit, ...]) -> None:
    if not schedule.chunk:
        return
    working = [unit for unit in parts if unit.stage.kind is not StageKind.LOAD]
    kinds = [unit.stage.kind is StageKind.DEPTHWISE for unit in working]
    plain = not (schedule.rows or chain.in_place or working[-1].pool or len(chain.outputs) > 1)
    if kinds != [False, True, False] or not plain:
        raise ScheduleError("a chunk needs expand, depthwise, project, the whole image per step, and one fresh output")


def _ring(chain: Chain, unit: Unit, plan: Flow, schedule: ChainSchedule, provider: Provider) -> Layout:
    shape, readers = unit.stage.shape, chain.consumers(unit.result)
    windows = [reader.window for reader in readers if reader.sources[0] == unit.result]
    left = max((window.padding[1][0] for window in windows), default=0)
    ends = [
        (reader.shape.columns - 1) * reader.window.stride[1]
        + (reader.window.kernel[1] - 1) * reader.window.dilation[1]
        - reader.window.padding[1][0]
        + 1
        for reader in readers
        if reader.sources[0] == unit.result
    ]
    dense = all(reader.kind in MATRIX_KINDS and reader.window.taps > 1 for reader in readers)
    chunked = schedule.chunk and unit.stage.kind is not StageKind.LOAD
    channels = schedule.chunk if chunked else shape.channels
    block = channels if dense else provider.lanes
    rows = plan.stages[unit.result]
    return Layout(
        slots=rows.ring,
        columns=shape.columns,
        channels=-(-channels // block) * block,
        block=block,
        left=left,
        right=max(0, *(end - shape.columns for end in ends)) if ends else 0,
        top=rows.top,
    )


def _packings(
    chain: Chain, schedule: ChainSchedule, provider: Provider, parts: tuple[Unit, ...], rings: dict[str, Layout]
) -> dict[str, Packing]:
    tiles = list(schedule.tiles)
    packings: dict[str, Packing] = {}
    for unit in parts:
        stage = unit.stage
        packing: Packing
        if stage.kind in MATRIX_KINDS:
            if not tiles:
                raise ScheduleError(f"the schedule has no tile for stage {stage.name}")
            packing = _matrix_packing(chain, schedule, provider, unit, rings, tiles.pop(0))
        elif stage.kind is StageKind.DEPTHWISE:
            blocks = -(-stage.shape.channels // provider.lanes)
            packing = DepthwisePacking(stage.window.taps, blocks, provider.lanes)
        else:
            continue
        packings[stage.name] = packing
    if tiles:
        raise ScheduleError(f"the schedule has {len(tiles)} more tiles than the chain has matrix stages")
    return packings


def _matrix_packing(
    chain: Chain,
    schedule: ChainSchedule,
    provider: Provider,
    unit: Unit,
    rings: dict[str, Layout],
    tile: Tile,
) -> MatrixPacking:
    stage, source = unit.stage, unit.stage.sources[0]
    if not provider.fits(tile.pixels, tile.vectors):
        raise ScheduleError(f"tile {tile.pixels} x {tile.vectors} of {stage.name} exceeds {provider.name}'s registers")
    channels = chain.shape(source).channels
    outputs, is_last = stage.shape.channels, stage == _last_matrix(chain)
    padded = channels
    if _is_blocked(rings.get(source)) or (schedule.chunk and is_last):
        padded = -(-channels // provider.lanes) * provider.lanes
    if unit.result not in chain.outputs and (_is_blocked(rings.get(unit.result)) or (schedule.chunk and not is_last)):
        outputs = -(-outputs // provider.lanes) * provider.lanes  # a side output has no room for more than its channels
    columns = provider.lanes * tile.vectors
    chunks = 1
    if schedule.chunk and is_last:
        chunks, rest = divmod(padded, schedule.chunk)
        if rest or schedule.chunk % provider.lanes:
            raise ScheduleError(f"a chunk of {schedule.chunk} does not divide {padded} channels into whole vectors")
    elif schedule.chunk and schedule.chunk % columns:
        raise ScheduleError(f"a chunk of {schedule.chunk} channels is no multiple of {stage.name}'s {columns} columns")
    return MatrixPacking(
        taps=stage.window.kernel,
        channels=channels,
        padded=padded,
        tiles=outputs // columns,
        columns=(provider.lanes,) * tile.vectors,
        tail=provider.widths(outputs % columns),
        chunks=chunks,
    )


def _is_blocked(ring: Layout | None) -> bool:
    return ring is not None and ring.block != ring.channels


def _last_matrix(chain: Chain) -> Stage:
    return [stage for stage in chain.stages if stage.kind in MATRIX_KINDS][-1]
