"""The frontier drawn with plain characters: a line of steps from the smallest arena to the fastest plan."""

from __future__ import annotations

from typing import Any

from mnv2c.report.axes import Axis
from mnv2c.report.svg import byte_size

COLUMNS, ROWS = 60, 12
"""Characters of the area in which the line is drawn."""

TICKS = 4
"""Marks below the area."""

POINT, CHOSEN = "o", "#"


def draw(figures: dict[str, Any]) -> str:
    """Return the frontier of ``Plan.as_dict`` as lines of text; the plan that was chosen is ``#``."""
    points = figures["frontier"]
    x, y = _axes(points)
    area = [[" "] * COLUMNS for _ in range(ROWS)]
    places = [(_cell(x(point["arena_bytes"])), _cell(y(point["time_ratio"]))) for point in points]
    for (left, row), (right, below) in zip(places, [*places[1:], (COLUMNS, places[-1][1])], strict=True):
        for column in range(left, right):
            area[row][column] = "-"
        for between in range(row + 1, below):
            area[between][right] = "|"
    for point, (column, row) in zip(points, places, strict=True):
        if area[row][column] != CHOSEN:
            area[row][column] = CHOSEN if point["arena_bytes"] == figures["arena_bytes"] else POINT
    lines = [f"{label} |{''.join(row).rstrip()}" for label, row in zip(_labels(places, points), area, strict=True)]
    return "\n".join(["time", *lines, f"{'':6} +{'-' * COLUMNS}", _scale(x)])


def _axes(points: list[dict[str, Any]]) -> tuple[Axis, Axis]:
    """Bytes to columns, and time to rows from the top; with some room where all is one point."""
    least, most = points[0]["arena_bytes"], points[-1]["arena_bytes"]
    slowest, fastest = points[0]["time_ratio"], points[-1]["time_ratio"]
    margin = max((most - least) / 10, 1.0)
    across = Axis(max(least - margin, 0.0), most + margin, 0.0, COLUMNS - 1.0)
    return across, Axis(max(slowest, fastest + 0.01), fastest, 0.0, ROWS - 1.0)


def _cell(value: float) -> int:
    return int(value + 0.5)


def _labels(places: list[tuple[int, int]], points: list[dict[str, Any]]) -> list[str]:
    """The time of the first point of every row that has one."""
    labels = [" " * 6] * ROWS
    for (_, row), point in reversed(list(zip(places, points, strict=True))):
        labels[row] = f"{point['time_ratio']:6.3f}"
    return labels


def _scale(x: Axis) -> str:
    """Sizes below the columns that they begin at."""
    width, line = COLUMNS // TICKS, " " * 8
    for tick in range(TICKS):
        line += byte_size(x.start + (x.end - x.start) * tick * width / (COLUMNS - 1)).ljust(width)
    return line.rstrip()
