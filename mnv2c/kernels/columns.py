"""Phases of a kernel that is cut into groups of columns: which stages may follow each other without waiting.

Every part computes its own channels of a stage. A depthwise stage needs the same channels of the stage before it, so
it goes on at once; a stage that multiplies by a matrix needs all of them, so all parts must have finished theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.kernels.share import Share
from mnv2c.kernels.units import Unit
from mnv2c.plan.chain import StageKind


@dataclass(frozen=True)
class Placed:
    """A unit in its phase; ``share`` says how its channels are cut, for part 0 of one."""

    unit: Unit
    phase: int
    share: Share


def placed_units(layout: KernelLayout) -> tuple[Placed, ...]:
    """Return the units in order, each with its phase and the tiles along which it is cut."""
    done: dict[str, Placed] = {}
    for unit in layout.units:
        before = [done[name] for name in _read(unit) if name in done]
        share = _share(layout, unit)
        source = done.get(unit.stage.sources[0])
        follows = source is not None and unit.stage.kind is StageKind.DEPTHWISE and _is_cut(source.unit)
        if follows and source is not None:
            share = source.share
        phases = [entry.phase + (0 if follows and entry is source else 1) for entry in before]
        done[unit.result] = Placed(unit, max(phases, default=0), share)
    return tuple(done.values())


def phases(layout: KernelLayout) -> int:
    """Return the number of phases."""
    return 1 + max(entry.phase for entry in placed_units(layout))


def cuts_columns(layout: KernelLayout) -> bool:
    """Whether every stage can be cut by channels: not where pixels are resized, their classes compared, or summed."""
    return not layout.added and all(
        unit.stage.kind not in (StageKind.RESIZE, StageKind.ARGMAX) for unit in layout.units
    )


def overwrites_late(layout: KernelLayout) -> bool:
    """Whether a result in place is written only after all parts have read the input, except as their own shortcut."""
    placed = placed_units(layout)
    return all(entry.phase < placed[-1].phase for entry in placed[:-1]) and len(placed) > 1


def _read(unit: Unit) -> tuple[str, ...]:
    return (*unit.stage.sources, *((unit.residual,) if unit.residual else ()))


def _is_cut(unit: Unit) -> bool:
    """Whether every part computes channels of its own (a load copies rows, a mean is one part's)."""
    return unit.stage.kind not in (StageKind.LOAD, StageKind.POOL)


def _share(layout: KernelLayout, unit: Unit) -> Share:
    packing = layout.packings.get(unit.stage.name)
    if isinstance(packing, MatrixPacking):
        return Share(tiles=packing.tiles, vectors=len(packing.columns))
    return Share(tiles=unit.stage.shape.channels // layout.provider.lanes)
