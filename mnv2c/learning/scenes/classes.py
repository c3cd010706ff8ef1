"""The classes as data: what shape, colour and texture each has. Every one of the three alone tells some pair apart.

Red and blue squares differ in colour only, the red disc and the red square in shape only, the yellow disc and the
striped disc in texture only, the white and the black ring in brightness only.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """A range of colours: hue around ``hue`` by ``spread`` (turns from red), saturation and value from low to high."""

    hue: float
    spread: float
    saturation: tuple[float, float]
    value: tuple[float, float]


class ShapeClass(NamedTuple):
    """A class: its label, and which of ``SHAPES``, ``COLOURS`` and ``TEXTURES`` it has, by name."""

    label: str
    shape: str
    colour: str
    texture: str


COLOURS = {
    "red": Colour(0.0, 0.03, (0.75, 1.0), (0.6, 1.0)),
    "green": Colour(0.36, 0.05, (0.65, 1.0), (0.45, 0.9)),
    "blue": Colour(0.63, 0.04, (0.7, 1.0), (0.55, 1.0)),
    "yellow": Colour(0.15, 0.025, (0.75, 1.0), (0.8, 1.0)),
    "white": Colour(0.0, 0.5, (0.0, 0.06), (0.92, 1.0)),
    "black": Colour(0.0, 0.5, (0.0, 0.3), (0.0, 0.12)),
    "dull": Colour(0.0, 0.5, (0.0, 0.3), (0.3, 0.72)),
}
"""Colours by name; the background and what belongs to no class is dull."""

SHAPE_CLASSES = (
    ShapeClass("red disc", "disc", "red", "plain"),
    ShapeClass("red square", "square", "red", "plain"),
    ShapeClass("blue square", "square", "blue", "plain"),
    ShapeClass("checked square", "square", "blue", "checked"),
    ShapeClass("green triangle", "triangle", "green", "plain"),
    ShapeClass("green cross", "cross", "green", "plain"),
    ShapeClass("yellow disc", "disc", "yellow", "plain"),
    ShapeClass("striped disc", "disc", "yellow", "striped"),
    ShapeClass("white ring", "ring", "white", "plain"),
    ShapeClass("black ring", "ring", "black", "plain"),
)

LABELS = tuple(shape_class.label for shape_class in SHAPE_CLASSES)
"""Names of the classes in order. In masks class i is i + 1, and 0 is the background."""

CLUTTER = ("disc", "square", "triangle", "bar", "hexagon")
"""Shapes of what is in the picture and belongs to no class: plain and dull."""
