"""The frontier as a picture: predicted time over the size of the arena, a line of steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mnv2c.report.axes import Axis
from mnv2c.report.labels import Label, Point, place
from mnv2c.report.svg import Box, byte_size, clean, line, picture, rectangle, tag, text, text_width
from mnv2c.report.words import bound_title

WIDTH, HEIGHT = 1240.0, 520.0
AREA = Box(76.0, 16.0, 1140.0, 440.0)
FONT = 11.5
RADIUS = 5.0
FAR = 1.6
"""A bound beyond this multiple of the largest arena is not drawn: the line would shrink to nothing."""


def frontier(figures: dict[str, Any]) -> str:
    """Draw the frontier of ``Plan.as_dict``, the chosen plan, the limit if any, and the paper's bounds near it."""
    points = figures["frontier"]
    x, y = _axes(figures)
    names = _level_names(figures, x)
    dots = [
        Point(x(point["arena_bytes"]), y(point["time_ratio"]), RADIUS, byte_size(point["arena_bytes"]))
        for point in points
    ]
    steps = [(dot.x, dot.y) for dot in dots]
    upright = [Box(at - 2, AREA.y, 4.0, AREA.height) for at, _ in _levels(figures, x)]
    taken = [*upright, *_boxes([*steps, (AREA.x + AREA.width, steps[-1][1])])]
    labels = place(dots, AREA, taken, FONT, [box for _, box in names])
    parts = [
        *_grid(x, y),
        *(line(at, AREA.y, at, AREA.y + AREA.height, class_=kind) for at, kind in _levels(figures, x)),
        *_steps([*steps, (AREA.x + AREA.width, steps[-1][1])]),
        *(_dot(dot, point, figures) for dot, point in zip(dots, points, strict=True)),
        *(text(box.x, box.y + FONT, name, class_="bound-name") for name, box in names),
        *(piece for label in labels for piece in _name(label)),
    ]
    return picture(WIDTH, HEIGHT, parts, "Frontier: predicted time over the size of the arena")


def _axes(figures: dict[str, Any]) -> tuple[Axis, Axis]:
    """Both axes start where there is something to see, and say so by their ticks."""
    points = figures["frontier"]
    sizes = [float(point["arena_bytes"]) for point in points] + [float(bound["bytes"]) for bound in _near(figures)]
    margin = max((max(sizes) - min(sizes)) / 16, 64.0)
    x = Axis(min(sizes) - margin, max(sizes) + margin, AREA.x, AREA.x + AREA.width)
    slowest, fastest = points[0]["time_ratio"], points[-1]["time_ratio"]
    room = max((slowest - fastest) / 12, 0.005)
    return x, Axis(fastest - room, slowest + room, AREA.y + AREA.height, AREA.y)


def _near(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The bounds that are drawn: those of the first graph, a bottleneck being one operation."""
    largest = figures["frontier"][-1]["arena_bytes"]
    bounds = figures["bounds"]
    return [bound for bound in bounds if bound["graph"] == bounds[0]["graph"] and bound["bytes"] <= FAR * largest]


def _levels(figures: dict[str, Any], x: Axis) -> list[tuple[float, str]]:
    levels = [(x(bound["bytes"]), "bound") for bound in _near(figures)]
    limit = figures["arena_limit"]
    return [*levels, (x(limit), "arena")] if _shows(limit, x) else levels


def _shows(limit: int | None, x: Axis) -> bool:
    return limit is not None and x.start <= limit <= x.end


def _level_names(figures: dict[str, Any], x: Axis) -> list[tuple[str, Box]]:
    """What the upright lines are, to the left or right of their upper end, one below the other."""
    named = [(x(bound["bytes"]), f"{bound_title(bound)}, {byte_size(bound['bytes'])}") for bound in _near(figures)]
    limit = figures["arena_limit"]
    if limit is not None and _shows(limit, x):
        named.append((x(limit), f"the limit, {byte_size(limit)}"))
    names = []
    for number, (at, name) in enumerate(named):
        width = text_width(name, FONT)
        right = at + 6 + width <= AREA.x + AREA.width
        names.append((name, Box(at + 6 if right else at - 6 - width, AREA.y + 8 + 18 * number, width, 15.0)))
    return names


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = AREA.y + AREA.height, AREA.x + AREA.width
    parts = [rectangle(AREA, class_="frame")]
    for tick in x.ticks(10):
        parts.append(line(x(tick), AREA.y, x(tick), bottom, class_="grid"))
        parts.append(text(x(tick), bottom + 18, byte_size(tick), class_="tick", text_anchor="middle"))
    for tick in y.ticks(8):
        parts.append(line(AREA.x, y(tick), right, y(tick), class_="grid"))
        parts.append(text(AREA.x - 8, y(tick) + 4, f"{tick:.3g}", class_="tick", text_anchor="end"))
    middle = AREA.y + AREA.height / 2
    words = "predicted time, as a multiple of the fastest plan's"
    turned = f"rotate(-90 18 {middle:.0f})"
    parts.append(text(AREA.x + AREA.width / 2, bottom + 42, "arena", class_="axis", text_anchor="middle"))
    parts.append(text(18, middle, words, class_="axis", text_anchor="middle", transform=turned))
    return parts


def _steps(places: list[tuple[float, float]]) -> list[str]:
    """More memory changes nothing until the next plan fits."""
    parts = []
    for (x, y), (next_x, next_y) in pairwise(places):
        parts.append(line(x, y, next_x, y, class_="roof"))
        if next_y != y:
            parts.append(line(next_x, y, next_x, next_y, class_="roof"))
    return parts


def _boxes(places: list[tuple[float, float]]) -> list[Box]:
    """What the line of steps covers."""
    found = []
    for (x, y), (next_x, next_y) in pairwise(places):
        found += [Box(x, y - 2, next_x - x, 4.0), Box(next_x - 2, y, 4.0, next_y - y)]
    return [box for box in found if box.width > 0 and box.height > 0]


def _dot(dot: Point, point: dict[str, Any], figures: dict[str, Any]) -> str:
    chosen = point["arena_bytes"] == figures["arena_bytes"]
    words = f"{point['arena_bytes']:,} bytes, time {point['time_ratio']:.3f}, {len(point['chains'])} kernel calls"
    title = tag("title", clean(words + (": the plan above" if chosen else "")))
    return tag("circle", title, cx=dot.x, cy=dot.y, r=dot.radius + 2 * chosen, class_="whole" if chosen else "dot")


def _name(label: Label) -> list[str]:
    """A size beside its point, with a line where it is far."""
    box = label.box
    if box.x + box.width <= label.point.x:
        name = text(box.x + box.width, box.y + FONT, label.point.label, class_="name", text_anchor="end")
    else:
        name = text(box.x, box.y + FONT, label.point.label, class_="name")
    (x, y), (end_x, end_y) = label.line
    return [line(x, y, end_x, end_y, class_="leader"), name] if label.leader else [name]
