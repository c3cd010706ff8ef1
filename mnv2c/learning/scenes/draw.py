"""One scene: its plan is drawn from a random generator, then painted shape by shape."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from mnv2c.learning.scenes.background import background, grain
from mnv2c.learning.scenes.classes import CLUTTER, COLOURS, SHAPE_CLASSES, Colour, ShapeClass
from mnv2c.learning.scenes.setting import Setting
from mnv2c.learning.scenes.shapes import SECOND_TONE, SHAPES, TEXTURES

VISIBLE = 0.55  # an object of which less can be seen is left out
FEWEST = 12  # as is one with fewer pixels
TURN = 28.0  # degrees to either side
TRIES = 12  # places that are tried for an object before it is left out
OVERLAP = 0.2  # most of two objects' circumscribed boxes that may be shared, of the smaller one


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is in it.

    ``image`` is uint8 [H, W, 3], red first. ``classes`` is int64 [n], indices into ``LABELS``. ``boxes`` is float32
    [n, 4]: left, top, right, bottom edge in pixels, around the pixels of each object that can be seen. ``instances`` is
    uint8 [H, W]: i + 1 where object i is on top, else 0.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.int64]
    boxes: NDArray[np.float32]
    instances: NDArray[np.uint8]

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Class + 1 of every pixel, 0 for the background; uint8 [H, W]."""
        return np.concatenate([[0], self.classes + 1]).astype(np.uint8)[self.instances]


@dataclass(frozen=True)
class _Item:
    """A shape to paint; ``index`` is that of its class, -1 where it has none. Lengths are shares of the height."""

    index: int
    shape: str
    texture: str
    colour: tuple[float, float, float]
    x: float
    y: float
    wide: float
    high: float
    angle: float


@dataclass(frozen=True, eq=False)
class _Patch:
    """What an item covers: rows and columns, and per pixel coverage, the texture's share, whether it is inside."""

    rows: slice
    columns: slice
    coverage: NDArray[np.float32]
    tone: NDArray[np.float32]
    inside: NDArray[np.bool_]


def draw(random: np.random.Generator, setting: Setting, first: int | None = None) -> Scene:
    """Draw a scene; its first object is of class ``first`` where that is given, and is always there."""
    aspect = random.uniform(*setting.aspect) if setting.aspect else setting.image_width / setting.height
    softness = random.uniform(*setting.softness)
    items = _clutter(random, setting, aspect) + _objects(random, setting, aspect, first)
    patches = [_patch(item, setting, aspect, softness) for item in items]
    kept, instances = _stack(items, patches, setting)
    image = background(random, setting.height, setting.image_width)
    for item, patch in kept:
        _paint(image, item, patch)
    image += grain(random, image.shape, random.uniform(*setting.noise))
    objects = [item.index for item, _ in kept if item.index >= 0]
    return Scene(
        np.clip(image, 0, 255, out=image).astype(np.uint8),
        np.array(objects, np.int64),
        boxes_of(instances, len(objects)),
        instances,
    )


def boxes_of(instances: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """The tight box of every object's pixels, float32 [count, 4]: left, top, right, bottom edge."""
    boxes = np.zeros((count, 4), np.float32)
    for index in range(count):
        seen = instances == index + 1
        columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
        boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def _clutter(random: np.random.Generator, setting: Setting, aspect: float) -> list[_Item]:
    low, high = setting.clutter
    return [
        _item(random, setting, aspect, -1, ShapeClass("", CLUTTER[random.integers(len(CLUTTER))], "dull", "plain"))
        for _ in range(random.integers(low, high + 1))
    ]


def _objects(random: np.random.Generator, setting: Setting, aspect: float, first: int | None) -> list[_Item]:
    """Place objects one after the other where they overlap little; one without a place is left out."""
    low, high = setting.objects
    placed: list[_Item] = []
    for position in range(random.integers(low, high + 1)):
        index = first if position == 0 and first is not None else int(random.integers(len(SHAPE_CLASSES)))
        for _ in range(TRIES):
            item = _item(random, setting, aspect, index, SHAPE_CLASSES[index])
            if all(_shared(item, other) <= OVERLAP for other in placed):
                placed.append(item)
                break
    return placed


def _item(random: np.random.Generator, setting: Setting, aspect: float, index: int, what: ShapeClass) -> _Item:
    size = random.uniform(*setting.size) * min(1.0, aspect)
    squash = random.uniform(*setting.squash) ** 0.5
    wide, high = size / squash, size * squash
    margin = 0.92 * max(wide, high)  # so that a little may be outside the picture
    return _Item(
        index,
        what.shape,
        what.texture,
        _colour(random, COLOURS[what.colour]),
        random.uniform(margin, max(margin, aspect - margin)),
        random.uniform(margin, max(margin, 1 - margin)),
        wide,
        high,
        radians(random.uniform(-TURN, TURN)),
    )


def _colour(random: np.random.Generator, colour: Colour) -> tuple[float, float, float]:
    hue = (colour.hue + random.uniform(-colour.spread, colour.spread)) % 1.0
    return colorsys.hsv_to_rgb(hue, random.uniform(*colour.saturation), random.uniform(*colour.value))


def _shared(one: _Item, other: _Item) -> float:
    """The part of the smaller item's box that lies in the other one's, both taken as if not turned."""
    across = min(one.x + one.wide, other.x + other.wide) - max(one.x - one.wide, other.x - other.wide)
    down = min(one.y + one.high, other.y + other.high) - max(one.y - one.high, other.y - other.high)
    smaller = min(one.wide * one.high, other.wide * other.high)
    return max(across, 0.0) * max(down, 0.0) / (4 * smaller)


def _patch(item: _Item, setting: Setting, aspect: float, softness: float) -> _Patch:
    """Evaluate shape and texture at the centres of the pixels around the item."""
    reach = 1.45 * max(item.wide, item.high)  # a turned square's corners
    down, across = 1 / setting.height, aspect / setting.image_width
    rows = slice(max(0, int((item.y - reach) / down)), min(setting.height, int((item.y + reach) / down) + 2))
    columns = slice(
        max(0, int((item.x - reach) / across)), min(setting.image_width, int((item.x + reach) / across) + 2)
    )
    dy = _centres(rows, down, item.y)[:, None]
    dx = _centres(columns, across, item.x)[None, :]
    turn, tilt = np.float32(cos(item.angle)), np.float32(sin(item.angle))
    u = ((turn * dx + tilt * dy) / np.float32(item.wide)).astype(np.float32, copy=False)
    v = ((turn * dy - tilt * dx) / np.float32(item.high)).astype(np.float32, copy=False)
    distance = SHAPES[item.shape](u, v)
    steepness = np.float32(min(item.wide, item.high) / max(down, across) / softness)  # shares of coverage per unit
    coverage = np.clip(np.float32(0.5) - steepness * distance, 0, 1)
    return _Patch(rows, columns, coverage, TEXTURES[item.texture](u, v), distance <= 0)


def _centres(pixels: slice, step: float, origin: float) -> NDArray[np.float32]:
    """Where the centres of pixels lie from ``origin``."""
    return ((np.arange(pixels.start, pixels.stop) + 0.5) * step - origin).astype(np.float32)


def _stack(
    items: list[_Item], patches: list[_Patch], setting: Setting
) -> tuple[list[tuple[_Item, _Patch]], NDArray[np.uint8]]:
    """Lay the patches over each other; leave out, one at a time, the object of which the least is left to see.

    Returns what is left and ``Scene.instances``.
    """
    kept = list(zip(items, patches, strict=True))
    while True:
        instances = np.zeros((setting.height, setting.image_width), np.uint8)
        objects = [pair for pair in kept if pair[0].index >= 0]
        for number, (_, patch) in enumerate(objects, start=1):
            instances[patch.rows, patch.columns][patch.inside] = number
        seen = np.bincount(instances.reshape(-1), minlength=len(objects) + 1)[1:]
        shares = [
            count / max(np.count_nonzero(patch.inside), FEWEST) for count, (_, patch) in zip(seen, objects, strict=True)
        ]
        hidden = [
            number
            for number, (share, count) in enumerate(zip(shares, seen, strict=True))
            if share < VISIBLE or count < FEWEST
        ]
        if not hidden or len(objects) == 1:
            return kept, instances
        kept.remove(objects[min(hidden, key=lambda number: (shares[number], -number))])


def _paint(image: NDArray[np.float32], item: _Item, patch: _Patch) -> None:
    """Mix the item's colours over the picture by its coverage."""
    part = image[patch.rows, patch.columns]
    for channel in range(3):
        own, second = 255 * item.colour[channel], 255 * SECOND_TONE[item.texture][channel]
        wanted = np.float32(own) + np.float32(second - own) * patch.tone
        part[..., channel] += patch.coverage * (wanted - part[..., channel])
