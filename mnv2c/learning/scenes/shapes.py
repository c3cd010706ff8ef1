"""Shapes and textures as functions of local coordinates, in which a shape of size 1 fits into [-1, 1] x [-1, 1].

A shape maps coordinates u (right) and v (down), float32 arrays of one shape, to a distance: negative inside, with a
slope of about 1 at the outline. A texture maps them to the share of the second tone, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Field = Callable[[Plane, Plane], Plane]

RING = (0.72, 0.24)  # the middle of the ring's body, and half its thickness
SQUARE = 0.78  # half the side, so that it looks as big as a disc
ARM = 0.32  # half the width of a cross's arm
BAR = 0.16
STRIPES = 1.75  # pairs of dark and light per unit
CHECKS = 1.15
EDGE = 6.0  # how steep a texture's edges are, in shares of tone per unit of its own wave


def _disc(u: Plane, v: Plane) -> Plane:
    return np.sqrt(u * u + v * v) - np.float32(1)


def _ring(u: Plane, v: Plane) -> Plane:
    middle, half = RING
    return np.abs(np.sqrt(u * u + v * v) - np.float32(middle)) - np.float32(half)


def _box(u: Plane, v: Plane, wide: float, high: float) -> Plane:
    return np.maximum(np.abs(u) - np.float32(wide), np.abs(v) - np.float32(high))


def _square(u: Plane, v: Plane) -> Plane:
    return _box(u, v, SQUARE, SQUARE)


def _cross(u: Plane, v: Plane) -> Plane:
    return np.minimum(_box(u, v, 0.95, ARM), _box(u, v, ARM, 0.95))


def _bar(u: Plane, v: Plane) -> Plane:
    return _box(u, v, 1.0, BAR)


def _polygon(corners: int) -> Field:
    """A regular polygon with its corners on the unit circle, one of them at the top."""
    inner = cos(pi / corners)
    sides = [pi / 2 + (2 * k + 1) * pi / corners for k in range(corners)]
    normals = [(np.float32(cos(angle)), np.float32(-sin(angle))) for angle in sides]

    def distance(u: Plane, v: Plane) -> Plane:
        far = normals[0][0] * u + normals[0][1] * v
        for across, down in normals[1:]:
            far = np.maximum(far, across * u + down * v)
        return far - np.float32(inner)

    return distance


SHAPES: dict[str, Field] = {
    "disc": _disc,
    "square": _square,
    "triangle": _polygon(3),
    "cross": _cross,
    "ring": _ring,
    "bar": _bar,
    "hexagon": _polygon(6),
}


def _step(wave: Plane) -> Plane:
    """Turn a wave in [-1, 1] into a pattern with edges."""
    pattern: Plane = np.clip(np.float32(0.5) + np.float32(EDGE / 2) * wave, 0, 1)
    return pattern


def _striped(u: Plane, v: Plane) -> Plane:
    return _step(np.sin(np.float32(2 * pi * STRIPES) * u))


def _checked(u: Plane, v: Plane) -> Plane:
    return _step(np.sin(np.float32(2 * pi * CHECKS) * u) * np.sin(np.float32(2 * pi * CHECKS) * v))


def _plain(u: Plane, v: Plane) -> Plane:
    return np.zeros_like(u)


TEXTURES: dict[str, Field] = {"plain": _plain, "striped": _striped, "checked": _checked}

SECOND_TONE = {"plain": (0.0, 0.0, 0.0), "striped": (0.12, 0.08, 0.05), "checked": (0.95, 0.95, 0.95)}
"""What colour (red, green, blue in [0, 1]) a texture has besides the class's own."""
