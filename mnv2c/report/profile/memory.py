"""The memory map: every buffer of the arena over the steps in which it is in use."""

from __future__ import annotations

from typing import Any

from mnv2c.report.axes import Axis
from mnv2c.report.labels import Label, Point, place
from mnv2c.report.svg import Box, byte_size, fitted, line, picture, rectangle, tag, text, text_width
from mnv2c.report.words import bound_title

LEFT, RIGHT, BOTTOM = 80.0, 16.0, 130.0
WIDTH = 1240.0
COLUMN = 60.0
"""A step's least width: wide enough for the names of most rings."""

HEIGHT = 620.0
"""Of the part that is to scale."""

FONT, LINE = 10.0, 12.5
LEVEL_FONT = 12.0
STRIP = 26.0
"""Height of the line for a bound that lies too far above the arena to be drawn to scale."""

FAR = 1.25
"""A bound beyond this multiple of the arena is not drawn to scale: the buffers would shrink to lines."""


def memory_map(figures: dict[str, Any]) -> tuple[str, int]:
    """Draw the arena over the steps, with the bounds of the first graph; return also how many buffers lack a name."""
    arena, names = figures["arena"], [step["name"] for step in figures["steps"]]
    size = arena["bytes"]
    if not arena["buffers"]:
        return tag("p", "This library needs no arena: its only step keeps nothing."), 0
    bounds = [bound for bound in arena["bounds"] if bound["graph"] == arena["bounds"][0]["graph"]]
    near = [bound for bound in bounds if bound["bytes"] <= FAR * size]
    far = sorted((bound for bound in bounds if bound["bytes"] > FAR * size), key=lambda bound: -bound["bytes"])
    top = 34.0 + STRIP * len(far)
    column = max(COLUMN, (WIDTH - LEFT - RIGHT) / len(names))
    width = LEFT + RIGHT + column * len(names)
    end = max([size, *(bound["bytes"] for bound in near)])
    y = Axis(0.0, end * 1.001, top + HEIGHT, top)
    frame = Box(LEFT, top, column * len(names), HEIGHT)
    parts = [*_axes(y, frame, names, column), *_strips(far, frame)]
    boxes = [_box(buffer, y, column) for buffer in arena["buffers"]]
    nameless: list[Point] = []
    texts: list[Box] = []
    for buffer, box in zip(arena["buffers"], boxes, strict=True):
        kind = "tensor" if buffer["tensors"] else "scratch"
        parts.append(rectangle(box, description(buffer, names), class_=kind))
        words = _words(buffer, box)
        if words:
            texts.append(_text_box(words, box))
            parts += _name(words, texts[-1])
        else:
            middle = Point(box.x + box.width / 2, box.y + box.height / 2, box.height / 2, short_name(buffer))
            nameless.append(middle)
    parts += _levels(near, size, y, frame, texts)
    beside = place(nameless, frame, boxes, FONT, texts)
    parts += [piece for label in beside for piece in _beside(label)]
    title = "Memory map: buffers of the arena over the steps"
    return picture(width, top + HEIGHT + BOTTOM, parts, title), len(nameless) - len(beside)


def _axes(y: Axis, frame: Box, names: list[str], column: float) -> list[str]:
    bottom, right = frame.y + frame.height, frame.x + frame.width
    parts = [rectangle(frame, class_="frame")]
    for tick in y.ticks(10):
        parts.append(line(frame.x, y(tick), right, y(tick), class_="grid"))
        parts.append(text(frame.x - 8, y(tick) + 4, byte_size(tick), class_="tick", text_anchor="end"))
    for index, name in enumerate(names):
        x = frame.x + (index + 0.5) * column
        turned = f"rotate(-45 {x:.1f} {bottom + 14:.1f})"
        name = fitted(name, 150.0, 11.5)
        parts.append(text(x, bottom + 14, name, class_="tick", text_anchor="end", transform=turned))
        if index:
            parts.append(line(x - column / 2, frame.y, x - column / 2, bottom, class_="grid faint"))
    return parts


def _strips(bounds: list[dict[str, Any]], frame: Box) -> list[str]:
    """Far bounds above the frame, with the mark of a broken axis."""
    parts = []
    for index, bound in enumerate(bounds):
        y = 20.0 + index * STRIP
        parts.append(line(frame.x, y, frame.x + frame.width, y, class_="bound"))
        parts.append(text(frame.x - 8, y + 4, byte_size(bound["bytes"]), class_="tick", text_anchor="end"))
        parts.append(
            text(
                frame.x + 6,
                y + 15,
                f"{bound_title(bound)}, {byte_size(bound['bytes'])}, not to scale",
                class_="bound-name",
            )
        )
    if bounds:
        middle = 20.0 + STRIP * (len(bounds) - 1) + 0.6 * STRIP
        parts += [
            line(frame.x - 9, middle + 2 * gap + 4, frame.x + 3, middle + 2 * gap - 4, class_="break") for gap in (0, 3)
        ]
    return parts


def _box(buffer: dict[str, Any], y: Axis, column: float) -> Box:
    """A buffer's rectangle, with a gap around it."""
    left, right = LEFT + buffer["first"] * column, LEFT + (buffer["last"] + 1) * column
    top, bottom = y(buffer["offset"] + buffer["bytes"]), y(buffer["offset"])
    return Box(left + 1.0, top + 0.4, right - left - 2.0, max(bottom - top - 0.8, 0.6))


def _words(buffer: dict[str, Any], box: Box) -> list[str]:
    """The lines of text for which there is room in the rectangle: none, the name, or the name and the size."""
    name = fitted(short_name(buffer), box.width - 4, FONT)
    if not name or box.height < LINE - 1:
        return []
    size = byte_size(buffer["bytes"])
    return [name, size] if box.height >= 2.2 * LINE and fitted(size, box.width - 4, FONT) == size else [name]


def _text_box(words: list[str], box: Box) -> Box:
    """What the lines cover, in the middle of the rectangle."""
    width, height = max(text_width(line, FONT) for line in words), LINE * len(words)
    return Box(box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height)


def _name(words: list[str], box: Box) -> list[str]:
    """The name, and the size below it."""
    x, y = box.x + box.width / 2, box.y + 0.77 * LINE
    kinds = ("buffer", "buffer quiet")
    return [text(x, y + LINE * i, line, class_=kinds[i], text_anchor="middle") for i, line in enumerate(words)]


def _beside(label: Label) -> list[str]:
    """The name of a rectangle that is too small for it."""
    (x, y), (end_x, end_y) = label.line
    box = label.box
    name = text(box.x + box.width / 2, box.y + FONT, label.point.label, class_="buffer", text_anchor="middle")
    return [line(x, y, end_x, end_y, class_="leader"), name] if label.leader else [name]


def short_name(buffer: dict[str, Any]) -> str:
    """A tensor's name; a ring's without that of its step, which is written below it."""
    name = str(buffer["name"])
    if buffer["tensors"]:
        more = len(buffer["tensors"]) - 1
        return f"{name} +{more}" if more else name
    ring = name.split(": ", 1)[-1]
    return "load" if ring.startswith("load_input_") else ring


def description(buffer: dict[str, Any], names: list[str]) -> str:
    """What a buffer holds, when and where."""
    first, last = names[buffer["first"]], names[buffer["last"]]
    when = f"in {first}" if first == last else f"from {first} to {last}"
    held = f", holds {', '.join(buffer['tensors'])}" if len(buffer["tensors"]) > 1 else ""
    return f"{buffer['name']}: {buffer['bytes']:,} bytes at {buffer['offset']:,}, {when}{held}"


def _levels(near: list[dict[str, Any]], size: int, y: Axis, frame: Box, texts: list[Box]) -> list[str]:
    """The size of the arena and the bounds near it, named above or below their lines; their boxes join ``texts``."""
    right = frame.x + frame.width
    title = f"arena: {byte_size(size)}"
    width = text_width(title, LEVEL_FONT)
    texts.append(Box(right - 6 - width, y(size) - 17, width, 15.0))
    parts = [line(frame.x, y(size), right, y(size), class_="arena")]
    parts.append(text(right - 6, y(size) - 5, title, class_="arena-name", text_anchor="end"))
    for bound in near:
        height = y(bound["bytes"])
        title = f"{bound_title(bound)}, {byte_size(bound['bytes'])}"
        width = text_width(title, LEVEL_FONT)
        places = [
            Box(frame.x + 6 + shift, top, width, 15.0)
            for top in (height - 17, height + 2)
            for shift in range(0, max(1, int(frame.width - width - 6)), 20)
        ]
        box = next((box for box in places if not any(box.meets(other) for other in texts)), places[0])
        texts.append(box)
        parts.append(line(frame.x, height, right, height, class_="bound"))
        parts.append(text(box.x, box.y + 12, title, class_="bound-name"))
    return parts
