"""The roofline: what the CPU could do with every step's multiply-adds and bytes, and what it did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnv2c.report.axes import LogarithmicAxis
from mnv2c.report.labels import Label, Point, place
from mnv2c.report.svg import Box, clean, line, picture, rectangle, tag, text, text_width
from mnv2c.report.words import joined

WIDTH, HEIGHT = 1240.0, 680.0
AREA = Box(70.0, 16.0, 1150.0, 604.0)
FONT = 11.5
SMALLEST, LARGEST = 4.0, 14.0
"""Radius of a point in pixels; its area grows with its step's share of the time."""

SPACING = 8.0
"""Pixels between the boxes that keep labels off a line."""

SAME_PLACE = 9.0
"""Points whose centres are no farther apart, in pixels, share a label."""

WHOLE = "whole run"


@dataclass(frozen=True)
class Plot:
    """The axes of a roofline, the peak in GMAC/s and the roofs' names with their GB/s, highest first."""

    x: LogarithmicAxis
    y: LogarithmicAxis
    peak: float
    roofs: tuple[tuple[str, float], ...]

    def start(self, bandwidth: float) -> tuple[float, float]:
        """Where the line of a bandwidth enters the picture: MAdds per byte, GMAC/s."""
        x = max(self.x.start, self.y.start / bandwidth)
        return x, x * bandwidth


def roofline(figures: dict[str, Any]) -> tuple[str, list[str]]:
    """Draw the steps that count multiply-adds, and the whole run; return also the names for which there was no room."""
    steps = [step for step in figures["steps"] if step["madds_per_byte"] and step["gmacs"]]
    if not steps:
        return tag("p", "No step of this library counts multiply-adds."), []
    plot = _plot(figures, steps)
    points = [_point(plot, step) for step in steps]
    moved = sum(step["moved_bytes"] for step in figures["steps"])
    whole = _whole(plot, figures["madds"] / moved, figures["madds"] / figures["median_ms"] / 1e6)
    dots = [point.box for point in (*points, whole)]
    names = _roof_names(plot, dots)
    taken = [*dots, *_boxes_on_lines(plot)]
    labels = place([whole, *_grouped(points)], AREA, taken, FONT, [box for _, box in names])
    parts = [
        *_grid(plot),
        *_lines(plot),
        *(_leader(label) for label in labels if label.leader),
        *(_dot(point, step) for point, step in zip(points, steps, strict=True)),
        _diamond(whole),
        *(text(box.x, box.y + FONT, name, class_="roof-name") for name, box in names),
        *(_name(label) for label in labels),
    ]
    drawn = picture(WIDTH, HEIGHT, parts, "Roofline: multiply-adds per byte and per second of every step")
    labelled = {label.point for label in labels}
    return drawn, [point.label for point in _grouped(points) if point not in labelled]


def _grouped(points: Sequence[Point]) -> list[Point]:
    """One point for all that lie on the same place, or nearly so, with all their names."""
    groups: list[list[Point]] = []
    for point in points:
        near = (group for group in groups if math.hypot(group[0].x - point.x, group[0].y - point.y) <= SAME_PLACE)
        group = next(near, None)
        if group is None:
            groups.append([point])
        else:
            group.append(point)
    return [replace(group[0], label=joined([point.label for point in group])) for group in groups]


def _plot(figures: dict[str, Any], steps: Sequence[dict[str, Any]]) -> Plot:
    peak = float(figures["peak_gmacs"])
    roofs = sorted(((roof["name"], float(roof["gbytes_per_s"])) for roof in figures["bandwidths"]), key=lambda r: -r[1])
    across = [step["madds_per_byte"] for step in steps] + [peak / bandwidth for _, bandwidth in roofs]
    up = [step["gmacs"] for step in steps] + [peak]
    return Plot(
        LogarithmicAxis(min(across) / 1.6, max(across) * 1.6, AREA.x, AREA.x + AREA.width),
        LogarithmicAxis(min(up) / 1.8, max(up) * 1.7, AREA.y + AREA.height, AREA.y),
        peak,
        tuple(roofs),
    )


def _point(plot: Plot, step: dict[str, Any]) -> Point:
    radius = max(SMALLEST, LARGEST * min(1.0, math.sqrt(step["time_share"] / 0.3)))
    return Point(plot.x(step["madds_per_byte"]), plot.y(step["gmacs"]), radius, step["name"])


def _whole(plot: Plot, intensity: float, gmacs: float) -> Point:
    """The whole run, kept inside the picture: with fallbacks its multiply-adds may be fewer than its time suggests."""
    gmacs = max(gmacs, plot.y.start * 1.1)
    intensity = min(max(intensity, plot.x.start * 1.1), plot.x.end / 1.1)
    return Point(plot.x(intensity), plot.y(gmacs), 7.0, WHOLE)


def _grid(plot: Plot) -> list[str]:
    bottom, right = AREA.y + AREA.height, AREA.x + AREA.width
    parts = [rectangle(AREA, class_="frame")]
    for tick in plot.x.ticks():
        parts.append(line(plot.x(tick), AREA.y, plot.x(tick), bottom, class_="grid"))
        parts.append(text(plot.x(tick), bottom + 18, f"{tick:g}", class_="tick", text_anchor="middle"))
    for tick in plot.y.ticks():
        parts.append(line(AREA.x, plot.y(tick), right, plot.y(tick), class_="grid"))
        parts.append(text(AREA.x - 8, plot.y(tick) + 4, f"{tick:g}", class_="tick", text_anchor="end"))
    middle = AREA.y + AREA.height / 2
    parts.append(
        text(AREA.x + AREA.width / 2, bottom + 42, "MAdds per byte moved", class_="axis", text_anchor="middle")
    )
    turned = f"rotate(-90 18 {middle:.0f})"
    parts.append(text(18, middle, "GMAC/s", class_="axis", text_anchor="middle", transform=turned))
    return parts


def _lines(plot: Plot) -> list[str]:
    """The bandwidths up to the peak, and the peak from where the highest of them reaches it."""
    flat = min((plot.peak / bandwidth for _, bandwidth in plot.roofs), default=plot.x.start)
    height = plot.y(plot.peak)
    parts = [line(plot.x(max(flat, plot.x.start)), height, AREA.x + AREA.width, height, class_="roof peak")]
    for _, bandwidth in plot.roofs:
        x, y = plot.start(bandwidth)
        parts.append(line(plot.x(x), plot.y(y), plot.x(plot.peak / bandwidth), height, class_="roof"))
    return parts


def _roof_names(plot: Plot, points: Sequence[Box]) -> list[tuple[str, Box]]:
    """The text of every roof with its box, off the points and the other lines: a slanted one's to the right of it."""
    title = f"peak of fused multiply-adds: {plot.peak:.1f} GMAC/s"
    width, height = text_width(title, FONT), plot.y(plot.peak) - 21
    start = max(AREA.x, plot.x(max(plot.x.start, min((plot.peak / rate for _, rate in plot.roofs), default=0.0))))
    boxes = [Box(start + 8 + 20 * shift, height, width, 15.0) for shift in range(40)]
    names = [(title, next((box for box in boxes if not any(box.meets(point) for point in points)), boxes[0]))]
    for number, (name, bandwidth) in enumerate(plot.roofs):
        others = [box for index in range(len(plot.roofs)) if index != number for box in _boxes_on_line(plot, index)]
        title = f"{name}: {bandwidth:.1f} GB/s"
        x, _ = plot.start(bandwidth)
        end = plot.peak / bandwidth
        for part in (0.08, 0.16, 0.24, 0.32, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
            at = x * (end / x) ** part
            box = Box(plot.x(at) + 10, plot.y(at * bandwidth) - 2, text_width(title, FONT), 15.0)
            if box.within(AREA) and not any(box.meets(other) for other in [*points, *others]):
                names.append((title, box))
                break
    return names


def _boxes_on_lines(plot: Plot) -> list[Box]:
    """Small boxes along all roofs, to keep labels off them."""
    height = plot.y(plot.peak)
    flat = [Box(AREA.x + index * SPACING, height - 2, SPACING, 4.0) for index in range(int(AREA.width / SPACING))]
    return flat + [box for index in range(len(plot.roofs)) for box in _boxes_on_line(plot, index)]


def _boxes_on_line(plot: Plot, roof: int) -> list[Box]:
    bandwidth = plot.roofs[roof][1]
    x, y = plot.start(bandwidth)
    left, right, low, high = plot.x(x), plot.x(plot.peak / bandwidth), plot.y(y), plot.y(plot.peak)
    count = max(1, int(math.hypot(right - left, high - low) / SPACING))
    parts = (index / count for index in range(count + 1))
    return [Box(left + part * (right - left) - 3, low + part * (high - low) - 3, 6.0, 6.0) for part in parts]


def _dot(point: Point, step: dict[str, Any]) -> str:
    title = (
        f"{step['name']}: {step['gmacs']:.1f} GMAC/s, {step['peak_share']:.1%} of the peak, "
        f"{step['madds_per_byte']:.2f} MAdds per byte, {step['median_ms']:.4f} ms"
    )
    return tag("circle", tag("title", clean(title)), cx=point.x, cy=point.y, r=point.radius, class_="dot")


def _diamond(point: Point) -> str:
    x, y, r = point.x, point.y, point.radius
    return tag("path", d=f"M{x:.1f} {y - r:.1f}l{r} {r}l-{r} {r}l-{r} -{r}z", class_="whole")


def _leader(label: Label) -> str:
    (x, y), (end_x, end_y) = label.line
    return line(x, y, end_x, end_y, class_="leader")


def _name(label: Label) -> str:
    """The text, set against its point: characters are narrower than the room kept for them."""
    box, right = label.box, label.box.x + label.box.width <= label.point.x
    strong = " strong" if label.point.label == WHOLE else ""
    if right:
        return text(box.x + box.width, box.y + FONT, label.point.label, class_=f"name{strong}", text_anchor="end")
    return text(box.x, box.y + FONT, label.point.label, class_=f"name{strong}")
