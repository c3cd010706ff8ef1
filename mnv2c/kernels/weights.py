"""How the weights of a kernel's stages are packed, by its schedule and by the rings that its stages read and write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any

from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import Carried, check_carry
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.packing import DepthwisePacking, MatrixPacking, Packing
from mnv2c.kernels.planes import Layout
from mnv2c.kernels.strassen import Halves, StrassenPacking, check_strassen
from mnv2c.kernels.summed import SummedPacking, Thirds, check_summed
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import MATRIX_KINDS, Chain, Stage, StageKind, products
from mnv2c.schedule.record import ChainSchedule, Tile

BEGUN_WITH_BIAS = frozenset({StageKind.STEM, StageKind.EXPAND, StageKind.POINTWISE})
"""Stages with short sums, and many of them."""


def packings(
    chain: Chain,
    schedule: ChainSchedule,
    provider: Provider,
    parts: tuple[Unit, ...],
    rings: dict[str, Layout],
    carried: Mapping[str, Carried],
    exact: frozenset[str],
) -> dict[str, Packing]:
    """Return the layouts of all stages' weights, by stage, in the order of the kernel's parameters.

    ``rings`` and what is ``carried`` or ``exact`` are the layout's. Raises ScheduleError when a tile does not fit.
    """
    tiles = list(schedule.tiles)
    found: dict[str, Packing] = {}
    for unit in parts:
        stage = unit.stage
        packing: Packing
        if stage.kind in MATRIX_KINDS:
            if not tiles:
                raise ScheduleError(f"the schedule has no tile for stage {stage.name}")
            packing = _matrix_packing(chain, schedule, provider, unit, rings, tiles.pop(0), carried, exact)
        elif stage.kind is StageKind.DEPTHWISE:
            blocks = -(-stage.shape.channels // provider.lanes)
            packing = DepthwisePacking(stage.window.taps, blocks, provider.lanes)
        else:
            continue
        found[stage.name] = packing
    if tiles:
        raise ScheduleError(f"the schedule has {len(tiles)} more tiles than the chain has matrix stages")
    return found


def _matrix_packing(
    chain: Chain,
    schedule: ChainSchedule,
    provider: Provider,
    unit: Unit,
    rings: dict[str, Layout],
    tile: Tile,
    carried: Mapping[str, Carried],
    exact: frozenset[str],
) -> MatrixPacking:
    stage, source = unit.stage, unit.stage.sources[0]
    if not provider.fits(tile.pixels, tile.vectors):
        raise ScheduleError(f"tile {tile.pixels} x {tile.vectors} of {stage.name} exceeds {provider.name}'s registers")
    channels = chain.shape(source).channels
    outputs, is_last = stage.shape.channels, stage == _last_matrix(chain)
    padded = channels
    if (_is_blocked(rings.get(source)) and source not in exact) or (schedule.chunk and is_last):
        padded = -(-channels // provider.lanes) * provider.lanes
    filled = _is_blocked(rings.get(unit.result)) and unit.result not in exact and not keeps_padding(chain, unit, rings)
    if unit.result not in chain.outputs and (filled or (schedule.chunk and not is_last)):
        outputs = -(-outputs // provider.lanes) * provider.lanes  # a side output has no room for more than its channels
    columns = provider.lanes * tile.vectors
    for entry in carried.values():
        if entry.source == unit.result:
            if keeps_padding(chain, unit, rings):
                raise ScheduleError(f"{stage.name} adds pixels whose channels do not fill the vectors in flight")
            outputs = -(-outputs // provider.lanes) * provider.lanes
            check_carry(stage, outputs, entry.channels, columns)
    chunks = 1
    if schedule.chunk and is_last:
        chunks, rest = divmod(padded, schedule.chunk)
        if rest or schedule.chunk % provider.lanes:
            raise ScheduleError(f"a chunk of {schedule.chunk} does not divide {padded} channels into whole vectors")
    elif schedule.chunk and schedule.chunk % columns:
        raise ScheduleError(f"a chunk of {schedule.chunk} channels is no multiple of {stage.name}'s {columns} columns")
    first = chunks == 1 and _may_begin_with_bias(unit)
    bias_rows = tile.pixels if provider.loads_bias and first else 1
    plain = MatrixPacking(
        taps=stage.window.kernel,
        channels=channels,
        padded=padded,
        tiles=outputs // columns,
        columns=(provider.lanes,) * tile.vectors,
        tail=provider.widths(outputs % columns),
        chunks=chunks,
        bias_rows=bias_rows,
        bias_first=bias_rows > 1 or (first and products(chain, stage) <= provider.copies_bias),
    )
    if tile.summed:
        return _summed_packing(chain, stage, plain, rings.get(source), provider, tile)
    if not tile.strassen:
        return plain
    in_flight = schedule.chunk if not is_last else 0
    in_flight += sum(entry.channels for entry in carried.values() if entry.source == unit.result)
    return _strassen_packing(chain, stage, plain, rings.get(source), in_flight)


def _strassen_packing(
    chain: Chain, stage: Stage, plain: MatrixPacking, ring: Layout | None, in_flight: int
) -> StrassenPacking:
    """Pack for Strassen's products what is read from a ring, or from a tensor of the caller."""
    check_strassen(stage, plain, in_flight)
    halves = Halves.of(_source(chain, stage, ring), plain.depth)
    groups = plain.total_columns // in_flight if in_flight else 1
    return StrassenPacking(**_fields(plain), halves=halves, groups=groups)


def _summed_packing(
    chain: Chain, stage: Stage, plain: MatrixPacking, ring: Layout | None, provider: Provider, tile: Tile
) -> SummedPacking:
    """Pack for products of sums what is read from a ring, or from a tensor of the caller."""
    check_summed(stage)
    if tile.strassen:
        raise ScheduleError(f"{stage.name} has either Strassen's products or products of sums")
    plane = _source(chain, stage, ring)
    return SummedPacking(**_fields(plain), thirds=Thirds.of(plain.depth, plane.block, provider.lanes))


def _source(chain: Chain, stage: Stage, ring: Layout | None) -> Layout:
    """Return where a stage's input lies: a ring, or a tensor of the caller, whose channels must be neighbours."""
    shape = chain.shape(stage.sources[0])
    if ring is None and chain.is_planar(stage.sources[0]):
        raise ScheduleError(f"{stage.name} reads an NCHW tensor, whose channels are no vectors")
    return ring or Layout(shape.rows, shape.columns, shape.channels, shape.channels)


def _fields(plain: MatrixPacking) -> dict[str, Any]:
    """Return a packing's fields, for one whose sums end with the bias."""
    fields = {field.name: getattr(plain, field.name) for field in dataclass_fields(plain)}
    return {**fields, "bias_rows": 1, "bias_first": False}


def _may_begin_with_bias(unit: Unit) -> bool:
    """Whether sums may begin with the bias: it costs bits of long sums, such as projections have.

    Measured in the worst corner of the test matrix: 9.8e-5 of the largest value (docs/decisions.md, 24).
    """
    return unit.stage.kind in BEGUN_WITH_BIAS and unit.residual is None


def keeps_padding(chain: Chain, unit: Unit, rings: Mapping[str, Layout]) -> bool:
    """Whether a unit leaves the channels alone that only fill its result's last vector.

    It must where it adds pixels, or a depthwise stage reads some, that lie one behind the other and have no such
    channels: it would read the next pixel's, and behind the last pixel what is no longer the tensor's.
    """
    source = unit.stage.sources[0] if unit.stage.kind is StageKind.DEPTHWISE else unit.residual
    made = rings.get(unit.result)
    if source is None or made is None:
        return False
    stored = rings.get(source)
    channels = chain.shape(source).channels if stored is None else stored.blocks * stored.block
    return channels < made.blocks * made.block


def _is_blocked(ring: Layout | None) -> bool:
    return ring is not None and ring.block != ring.channels


def _last_matrix(chain: Chain) -> Stage:
    return [stage for stage in chain.stages if stage.kind in MATRIX_KINDS][-1]
