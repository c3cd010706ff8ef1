"""What a kernel needs before a line of it is emitted: its units, the rings between them and its packed weights.

The arena planner reads the ring sizes and the packer the weight layouts from here, the chain emitter both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mnv2c.errors import CompilerError, ScheduleError
from mnv2c.kernels import strassen, summed
from mnv2c.kernels.carried import Carried, carried_stages, made_again, unfinished
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.packing import MatrixPacking, Packing
from mnv2c.kernels.planes import Layout
from mnv2c.kernels.regions import Region, ring_regions
from mnv2c.kernels.resizing import Resizing, resizing
from mnv2c.kernels.units import Unit, units
from mnv2c.kernels.weights import packings
from mnv2c.plan.chain import MATRIX_KINDS, Chain, Stage, StageKind, with_loads
from mnv2c.plan.rows import Flow, flow
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile


@dataclass(frozen=True)
class KernelLayout:
    """The layout of one kernel: everything about its memory, nothing about its code.

    ``rings`` are keyed by the result they hold, ``packings`` by stage name. ``sums`` holds the unfinished sums of each
    carried depthwise stage. Planes of one entry of ``regions`` are never needed at the same time and share memory;
    packings and regions are in the order of the kernel's parameters. ``resizings`` are keyed by result, and so
    is ``added``: elements for the sums of Strassen's products, or for the pixels of products of sums.
    """

    chain: Chain
    schedule: ChainSchedule
    provider: Provider
    flow: Flow
    units: tuple[Unit, ...]
    rings: dict[str, Layout]
    sums: dict[str, Layout]
    regions: tuple[Region, ...]
    packings: dict[str, Packing]
    resizings: dict[str, Resizing] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)

    @property
    def scratch(self) -> tuple[int, ...]:
        """Elements of every region."""
        sizes = {name: ring.elements for name, ring in self.rings.items()}
        sizes |= {f"sums_{name}": layout.elements for name, layout in self.sums.items()}
        sizes |= {f"work_{name}": work.elements for name, work in self.resizings.items()}
        sizes |= {f"work_{name}": elements for name, elements in self.added.items()}
        return tuple(max(sizes[name] for name in region.planes) for region in self.regions)

    @property
    def scratch_elements(self) -> int:
        """Elements of all regions together."""
        return sum(self.scratch)

    @property
    def region_bytes(self) -> tuple[int, ...]:
        """Bytes of every region."""
        return tuple(elements * self.provider.bytes for elements in self.scratch)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of all regions together."""
        return sum(self.region_bytes)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all packed weights."""
        return sum(packing.elements for packing in self.packings.values()) * self.provider.bytes

    @cached_property
    def tiles(self) -> dict[str, Tile]:
        """The schedule's register tile of every matrix stage."""
        names = (stage.name for stage in self.chain.stages if stage.kind in MATRIX_KINDS)
        return dict(zip(names, self.schedule.tiles, strict=True))

    @cached_property
    def depthwise(self) -> dict[str, DepthwiseTile]:
        """What the schedule says of every depthwise stage."""
        names = (stage.name for stage in self.chain.stages if stage.kind is StageKind.DEPTHWISE)
        return dict(zip(names, self.schedule.depthwise, strict=True))

    def carry(self, stage: str) -> int:
        """Channels in flight of a carried depthwise stage; 0 for any other stage."""
        return self.depthwise[stage].carry if stage in self.depthwise else 0

    def makes_in_chunks(self, unit: Unit) -> bool:
        """Whether a unit makes its channels in chunks: all its pixels for some of them, then for the next ones."""
        carried = any(self.carry(reader.name) for reader in self.chain.consumers(unit.result))
        return carried or _is_in_chunks(self.packings[unit.stage.name], self.schedule)

    def rows_at_once(self, unit: Unit) -> int:
        """Most rows of a unit that are made in one pass."""
        return _rows_at_once(unit, self.flow)

    @property
    def chunks(self) -> int:
        """Number of chunks the expanded channels are cut into."""
        matrix = [packing for packing in self.packings.values() if isinstance(packing, MatrixPacking)]
        return max((packing.chunks for packing in matrix), default=1)


def kernel_layout(chain: Chain, schedule: ChainSchedule, provider: Provider) -> KernelLayout:
    """Lay out the kernel of ``chain``; raises ScheduleError when the schedule does not fit the chain."""
    chain = with_loads(chain, provider.gathers)
    plan = flow(chain, schedule.rows, made_again(chain, schedule))
    parts = units(chain)
    if schedule.rows and any(unit.pool or unit.stage.kind is StageKind.POOL for unit in parts):
        raise ScheduleError("a pooled chain computes the whole image in one step (rows = 0)")
    if not plan.whole:
        _check_pace(plan, parts)
    _check_chunk(chain, schedule, parts)
    if chain.in_place and made_again(chain, schedule):
        raise ScheduleError("a chain in place overwrites the rows that it would have to read again")
    carried = carried_stages(chain, schedule, plan, provider)
    rings = {
        unit.result: _ring(chain, unit, plan, schedule, provider, carried) for unit in parts if _has_ring(chain, unit)
    }
    sums = {
        name: _sums(chain.stage(name), provider)
        for name, entry in carried.items()
        if unfinished(chain.stage(name).window) and not entry.again
    }
    packed = packings(chain, schedule, provider, parts, rings, carried, exact_stages(chain, schedule, provider))
    resizings = {
        unit.result: resizing(chain, unit.stage, provider, unit.argmax is not None)
        for unit in parts
        if unit.stage.kind is StageKind.RESIZE
    }
    sources = {entry.source for entry in carried.values()}
    added = {unit.result: _added(unit, packed.get(unit.stage.name), chain, schedule, plan, sources) for unit in parts}
    added = {name: elements for name, elements in added.items() if elements}
    regions = ring_regions(parts, plan, rings, sums, carried)
    regions += tuple(Region(f"work_{name}", (f"work_{name}",)) for name in resizings)
    regions += _added_regions(added, packed, parts, schedule)
    return KernelLayout(chain, schedule, provider, plan, parts, rings, sums, regions, packed, resizings, added)


def _added(
    unit: Unit, packing: Packing | None, chain: Chain, schedule: ChainSchedule, plan: Flow, carried: set[str]
) -> int:
    """Elements of memory for the sums of a stage's products, or for what is multiplied as sums."""
    if not isinstance(packing, strassen.StrassenPacking | summed.SummedPacking):
        return 0
    names = [stage.name for stage in chain.stages if stage.kind in MATRIX_KINDS]
    pixels = schedule.tiles[names.index(unit.stage.name)].pixels
    if isinstance(packing, summed.SummedPacking):
        in_chunks = unit.result in carried or _is_in_chunks(packing, schedule)
        by_columns = summed.is_by_columns(unit.pool, schedule.prefetch, in_chunks)
        tiles = summed.most_tiles(unit.stage, pixels, _rows_at_once(unit, plan), by_columns)
        return tiles * summed.tile_elements(packing, pixels)
    by_columns = strassen.is_by_columns(unit.pool, schedule.prefetch, schedule.rows == 0)
    return strassen.work_elements(packing, pixels, strassen.most_pairs(unit.stage, pixels, by_columns))


def _rows_at_once(unit: Unit, plan: Flow) -> int:
    return unit.stage.shape.rows if plan.whole else plan.stages[unit.result].rows


def _is_in_chunks(packing: Packing, schedule: ChainSchedule) -> bool:
    """Whether a chunk of a stage's channels is made, then a chunk of what reads it, whose K comes in chunks."""
    return schedule.chunk > 0 and isinstance(packing, MatrixPacking) and packing.chunks == 1


def _added_regions(
    added: Mapping[str, int], packed: Mapping[str, Packing], parts: Sequence[Unit], schedule: ChainSchedule
) -> tuple[Region, ...]:
    """One stage after the other needs its memory; but pixels that the first chunk divided stay for the next ones."""
    made = {unit.result: packed[unit.stage.name] for unit in parts if unit.result in added}
    stay = [
        n
        for n, packing in made.items()
        if isinstance(packing, summed.SummedPacking) and _is_in_chunks(packing, schedule)
    ]
    shared = tuple(f"work_{name}" for name in made if name not in stay)
    regions = tuple(Region(f"work_{name}", (f"work_{name}",)) for name in stay)
    return (*regions, *((Region("added", shared),) if shared else ()))


def _check_pace(plan: Flow, parts: tuple[Unit, ...]) -> None:
    """Raise CompilerError unless a stage and what is folded into it make the same rows in every pass."""
    for unit in parts:
        own, folded = plan.stages[unit.stage.name], plan.stages[unit.result]
        if (own.rows, own.passes, own.lead, own.again) != (folded.rows, folded.passes, folded.lead, folded.again):
            raise CompilerError(f"{unit.stage.name} and {unit.result} are emitted together, but at different paces")


def _has_ring(chain: Chain, unit: Unit) -> bool:
    return bool(chain.consumers(unit.result))


def _check_chunk(chain: Chain, schedule: ChainSchedule, parts: tuple[Unit, ...]) -> None:
    if not schedule.chunk:
        return
    working = [unit for unit in parts if unit.stage.kind is not StageKind.LOAD]
    kinds = [unit.stage.kind is StageKind.DEPTHWISE for unit in working]
    plain = not (schedule.rows or chain.in_place or working[-1].pool or len(chain.outputs) > 1)
    pooled = len(working) == 2 and working[0].pool and working[1].stage.kind is StageKind.DENSE
    if not (kinds == [False, True, False] or pooled) or not plain:
        raise ScheduleError(
            "a chunk needs expand, depthwise, project, or a pooled stage and a fully connected one; the whole image "
            "per step, and one fresh output"
        )


def exact_stages(chain: Chain, schedule: ChainSchedule, provider: Provider) -> frozenset[str]:
    """Return the results whose last vectors are not filled up; raises ScheduleError where they would have to be."""
    stages = [stage for stage in chain.stages if stage.kind is StageKind.DEPTHWISE]
    found: set[str] = set()
    for stage, tile in zip(stages, schedule.depthwise, strict=False):
        if not tile.exact:
            continue
        source, readers = stage.sources[0], chain.consumers(stage.name)
        made = not source.startswith("input_") and chain.stage(source).kind in MATRIX_KINDS
        alone = chain.consumers(source) == (stage,) and not {source, stage.name} & set(chain.outputs)
        read = all(reader.kind in MATRIX_KINDS and reader.window.is_pixel for reader in readers)
        if not (made and alone and read) or tile.carry or schedule.chunk or provider.gathers:
            raise ScheduleError(
                f"{stage.name} cannot leave out what fills its last vector: that needs a convolution before it, 1x1 "
                "convolutions behind it, rings between them that hold all channels, and broadcast products"
            )
        found |= {source, stage.name}
    return frozenset(found)


def _sums(stage: Stage, provider: Provider) -> Layout:
    channels = -(-stage.shape.channels // provider.lanes) * provider.lanes
    return Layout(unfinished(stage.window), stage.shape.columns, channels, provider.lanes)


def _ring(
    chain: Chain,
    unit: Unit,
    plan: Flow,
    schedule: ChainSchedule,
    provider: Provider,
    carried: Mapping[str, Carried],
) -> Layout:
    shape, readers = chain.shape(unit.result), chain.consumers(unit.result)
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
    chunked = schedule.chunk and unit.stage.kind is not StageKind.LOAD
    channels = schedule.chunk if chunked else shape.channels
    block = channels if _is_dense(unit, readers, provider) else provider.lanes
    rows, slots = plan.stages[unit.result], plan.stages[unit.result].ring
    for entry in carried.values():
        if entry.source == unit.result:
            channels, slots = entry.channels, rows.rows
    return Layout(
        slots=slots,
        columns=shape.columns,
        channels=-(-channels // block) * block,
        block=block,
        left=left,
        right=max(0, *(end - shape.columns for end in ends)) if ends else 0,
        top=rows.top,
    )


def _is_dense(unit: Unit, readers: Sequence[Stage], provider: Provider) -> bool:
    """Whether pixels lie whole in a ring: for windows over all channels, and where single values are broadcast.

    In blocks of one vector a row of 24 channels would take 32, and K with it.
    """
    matrices = all(reader.kind in MATRIX_KINDS or reader.kind is StageKind.ADD for reader in readers)
    if matrices and unit.stage.kind in MATRIX_KINDS and not provider.gathers:
        return not any(reader.window.needs_margin for reader in readers)
    return all(reader.kind in MATRIX_KINDS and reader.window.taps > 1 for reader in readers)
