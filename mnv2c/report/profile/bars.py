"""A bar per step: its time, and how much of it the peak would need."""

from __future__ import annotations

from typing import Any

from mnv2c.report.axes import Axis
from mnv2c.report.svg import Box, fitted, line, picture, rectangle, text, text_width

WIDTH = 1240.0
LEFT, RIGHT = 200.0, 330.0
"""Room for the names and for the figures."""

ROW, BAR = 25.0, 15.0
FONT = 12.0


def bars(figures: dict[str, Any]) -> str:
    """Draw the times of all steps within a run, and as a mark the time of each alone with warm caches."""
    steps = figures["steps"]
    longest = max(max(step["median_ms"], step["alone_ms"]) for step in steps) or 1.0
    scale = Axis(0.0, longest, LEFT, WIDTH - RIGHT)
    parts: list[str] = []
    for index, step in enumerate(steps):
        parts += _row(step, 8.0 + index * ROW, scale)
    return picture(WIDTH, 16.0 + len(steps) * ROW, parts, "Time of every step, with its share of the peak")


def _row(step: dict[str, Any], top: float, scale: Axis) -> list[str]:
    middle = top + ROW / 2
    length = scale(step["median_ms"]) - LEFT
    box = Box(LEFT, middle - BAR / 2, max(length, 1.0), BAR)
    parts = [
        text(LEFT - 10, middle + 4, fitted(step["name"], LEFT - 16, FONT), class_="label", text_anchor="end"),
        rectangle(box, _title(step), class_="time" if step["peak_share"] else "time other"),
    ]
    if step["peak_share"]:
        needed = Box(box.x, box.y, length * min(1.0, step["peak_share"]), BAR)
        parts.append(rectangle(needed, _title(step), class_="needed"))
    alone = scale(step["alone_ms"])
    parts.append(line(alone, box.y - 3, alone, box.y + BAR + 3, class_="alone"))
    start = max(box.x + box.width, alone) + 10
    time = f"{step['median_ms']:.4f} ms"
    parts.append(text(start, middle + 4, time, class_="figure"))
    parts.append(text(start + text_width(time, FONT) + 16, middle + 4, _shares(step), class_="label quiet"))
    return parts


def _shares(step: dict[str, Any]) -> str:
    peak = "no multiply-adds" if step["peak_share"] is None else f"{step['peak_share']:.1%} of peak"
    return f"{'fallback' if step['fallback'] else peak}, {step['time_share'] or 0:.1%} of run"


def _title(step: dict[str, Any]) -> str:
    return (
        f"{step['name']} ({' -> '.join(step['stages'])}): {step['median_ms']:.4f} ms in a run, "
        f"{step['alone_ms']:.4f} ms alone"
    )
