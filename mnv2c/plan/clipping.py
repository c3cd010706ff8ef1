"""Which taps of a window lie inside the image, as data: what a clipped convolution computes (`plan.chain.clips`)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from mnv2c.plan.chain import Shape, Stage


@dataclass(frozen=True)
class ColumnRange:
    """Result columns [first, first + count) whose windows have the same ``taps`` inside the image."""

    first: int
    count: int
    taps: tuple[int, ...]


def column_ranges(stage: Stage, source: Shape) -> tuple[ColumnRange, ...]:
    """Cut the result columns of a stage that reads ``source`` where taps enter or leave the image."""
    return _ranges(stage, stage.shape.columns, source.columns, 1)


def inside_share(stage: Stage, source: Shape) -> float:
    """Return the share of a stage's products whose pixel lies inside the image."""
    rows = _ranges(stage, stage.shape.rows, source.rows, 0)
    columns = _ranges(stage, stage.shape.columns, source.columns, 1)
    inside = [sum(part.count * len(part.taps) for part in parts) for parts in (rows, columns)]
    return inside[0] * inside[1] / (stage.shape.pixels * stage.window.taps)


def _ranges(stage: Stage, results: int, extent: int, axis: int) -> tuple[ColumnRange, ...]:
    window, before = stage.window, stage.window.padding[axis][0]

    def inside(result: int) -> tuple[int, ...]:
        first = result * window.stride[axis] - before
        places = (first + tap * window.dilation[axis] for tap in range(window.kernel[axis]))
        return tuple(tap for tap, at in enumerate(places) if 0 <= at < extent)

    found = []
    for taps, group in groupby(range(results), inside):
        members = tuple(group)
        found.append(ColumnRange(members[0], len(members), taps))
    return tuple(found)
