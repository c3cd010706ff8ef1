"""Places labels of points where they cover nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mnv2c.report.svg import Box, text_width

DISTANCES = (4.0, 14.0, 26.0, 40.0, 56.0, 74.0, 94.0, 116.0, 140.0, 166.0)
"""From a point's rim to its label, in pixels: the nearest free place is taken."""

DIRECTIONS = tuple(
    math.radians(angle)
    for angle in (0, 180, 270, 90, 315, 45, 225, 135, 340, 20, 200, 160, 290, 70, 250, 110, 300, 60, 240, 120, 330, 30)
)
"""From a point to its label; clockwise from the right."""

LEADER_FROM = 10.0
"""A label farther than this from its point is tied to it by a line."""

CROWD = 120.0
"""Pixels within which points compete for room."""

BEAD = 4.0
"""Pixels between the places of a leader that are looked at."""


@dataclass(frozen=True)
class Point:
    """A place in pixels with a radius, and what is to be written beside it."""

    x: float
    y: float
    radius: float
    label: str

    @property
    def box(self) -> Box:
        """What it covers."""
        return Box(self.x - self.radius, self.y - self.radius, 2 * self.radius, 2 * self.radius)


@dataclass(frozen=True)
class Label:
    """A point's label: the box it fills, and whether it needs a line to its point."""

    point: Point
    box: Box
    leader: bool

    @property
    def line(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The leader: from the rim of the point to the nearest place of the box."""
        point, box = self.point, self.box
        x, y = min(max(point.x, box.x), box.x + box.width), min(max(point.y, box.y), box.y + box.height)
        share = point.radius / (math.hypot(x - point.x, y - point.y) or 1.0)
        return (point.x + (x - point.x) * share, point.y + (y - point.y) * share), (x, y)


def place(
    points: Sequence[Point], area: Box, taken: Sequence[Box], size: float, texts: Sequence[Box] = ()
) -> list[Label]:
    """Return a label for every point for which there is room within ``area``, off ``taken`` and other ``texts``.

    No two labels overlap, none covers a point, and no leader crosses a text or another point. Points that (nearly)
    cover each other are to be given as one. Which point comes first matters, so some orders are tried.
    """
    orders: list[Callable[[Point], float]] = [
        lambda point: -point.radius,
        lambda point: -sum(math.hypot(point.x - other.x, point.y - other.y) < CROWD for other in points),
        lambda point: point.x,
        lambda point: -point.x,
        lambda point: point.y,
        lambda point: -point.y,
    ]
    tried = [_place(sorted(points, key=lambda p: (order(p), p.label)), area, taken, size, texts) for order in orders]
    return min(tried, key=_badness)


def _place(points: Sequence[Point], area: Box, taken: Sequence[Box], size: float, texts: Sequence[Box]) -> list[Label]:
    """One label after the other, each at the nearest place that is free."""
    dots = {point: point.box for point in points}
    covered, labels = [*texts, *dots.values(), *taken], list[Label]()
    for point in points:
        for box, distance in _candidates(point, size):
            if not box.within(area) or any(box.meets(other) for other in covered):
                continue
            label = Label(point, box, distance > LEADER_FROM)
            others = [dot for other, dot in dots.items() if other != point] + [placed.box for placed in labels]
            if label.leader and _crosses(label, [*texts, *others]):
                continue
            labels.append(label)
            covered += [box, *(_beads(label) if label.leader else ())]
            break
    return labels


def _badness(labels: Sequence[Label]) -> tuple[int, int, float]:
    """Fewest missing, then fewest leaders, then the shortest ones."""
    lines = [label.line for label in labels if label.leader]
    return -len(labels), len(lines), sum(math.hypot(end[0] - start[0], end[1] - start[1]) for start, end in lines)


def _crosses(label: Label, others: Sequence[Box]) -> bool:
    return any(bead.meets(other) for bead in _beads(label) for other in others)


def _beads(label: Label) -> list[Box]:
    """Small boxes along a leader."""
    (x, y), (end_x, end_y) = label.line
    count = max(1, int(math.hypot(end_x - x, end_y - y) / BEAD))
    parts = ((index + 0.5) / count for index in range(count))
    half = BEAD / 2
    return [Box(x + part * (end_x - x) - half / 2, y + part * (end_y - y) - half / 2, half, half) for part in parts]


def _candidates(point: Point, size: float) -> Iterator[tuple[Box, float]]:
    """Boxes around a point, near ones first, each touching the circle of its distance from outside."""
    width, height = text_width(point.label, size), size * 1.25
    for distance in DISTANCES:
        reach = point.radius + distance
        for angle in DIRECTIONS:
            across, down = math.cos(angle), math.sin(angle)
            x = point.x + across * reach - width / 2 * (1 - _sign(across))
            y = point.y + down * reach - height / 2 * (1 - _sign(down))
            yield Box(x, y, width, height), distance


def _sign(value: float) -> float:
    return 0.0 if abs(value) < 1e-9 else math.copysign(1.0, value)
