"""Random chains of segmenters: branches of a pyramid, resizes, masks. See `tests.kernels.chains`."""

from __future__ import annotations

from random import Random

from mnv2c.plan.chain import RELU6, Activation, Chain, Shape, Stage, StageKind, Window
from mnv2c.plan.resampling import Coordinates

EXTENTS = (1, 2, 3, 5, 7, 9, 12, 17)
LABELS = ("uint8", "uint8", "int32", "int64")


def branch(random: Random) -> Chain:
    """A 1x1 or dilated convolution, its part of the projection, and the sum of the other branches; also in place."""
    image = Shape(random.choice(EXTENTS[2:]), random.choice(EXTENTS[2:]), random.choice((3, 8, 20, 24)))
    window, kind = Window(), StageKind.POINTWISE
    if random.random() < 0.8:
        rate = random.choice((2, 3, 6, 12, 18))
        kernel = random.choice(((3, 3), (3, 3), (3, 3), (1, 3), (3, 1)))
        half = [(extent - 1) * rate // 2 for extent in kernel]
        pads = ((half[0], half[0]), (half[1], half[1]))
        window, kind = Window(kernel, (1, 1), (rate, rate), pads), StageKind.CONV
    width, last = random.choice((8, 20, 33)), random.choice((5, 16, 40))
    result = Shape(image.rows, image.columns, last)
    added = random.choice((result, Shape(1, 1, last)))
    stages = (
        Stage("first", kind, ("input_1",), Shape(image.rows, image.columns, width), window, RELU6),
        Stage("project", StageKind.POINTWISE, ("first",), result),
        Stage("add", StageKind.ADD, ("project", "input_0"), result, Window(), random.choice((None, RELU6))),
    )
    in_place = added == result and random.random() < 0.5
    return Chain("branch", (added, image), stages, ("add",), in_place=in_place)


def resize(random: Random) -> Chain:
    """Bilinear interpolation up or down, sometimes with a stage that reads it."""
    small, large = _extents(random)
    how = random.choice(list(Coordinates))
    shape = Shape(*large, small.channels)
    stages = [Stage("resize", StageKind.RESIZE, ("input_0",), shape, coordinates=how)]
    outputs = ["resize"]
    if random.random() < 0.4:
        clamp = random.choice((None, Activation(-0.5, 0.75)))
        result = Shape(*large, random.choice((3, 8, 17)))
        stages.append(Stage("pointwise", StageKind.POINTWISE, ("resize",), result, Window(), clamp))
        outputs = ["pointwise", *(["resize"] if random.random() < 0.5 else [])]
    return Chain("resize", (small,), tuple(stages), tuple(outputs))


def mask(random: Random) -> Chain:
    """The class of every pixel, of a resized image or not."""
    small, large = _extents(random)
    label = random.choice(LABELS)
    stages: list[Stage] = []
    source = "input_0"
    if random.random() < 0.8:
        how = random.choice(list(Coordinates))
        stages.append(Stage("resize", StageKind.RESIZE, (source,), Shape(*large, small.channels), coordinates=how))
        source = "resize"
    elif random.random() < 0.5:
        stages.append(Stage("pointwise", StageKind.POINTWISE, (source,), small))
        source = "pointwise"
    shape = stages[-1].shape if stages else small
    outputs = ["argmax", *(["resize"] if source == "resize" and random.random() < 0.2 else [])]
    stages.append(Stage("argmax", StageKind.ARGMAX, (source,), Shape(shape.rows, shape.columns, 1), dtype=label))
    return Chain("mask", (small,), tuple(stages), tuple(outputs))


def _extents(random: Random) -> tuple[Shape, tuple[int, int]]:
    """An image, and the rows and columns it is resized to: multiples, other ratios, fewer."""
    small = Shape(random.choice(EXTENTS[:6]), random.choice(EXTENTS), random.choice((1, 2, 3, 5, 8, 21)))

    def larger(extent: int) -> int:
        factor = random.choice((1, 2, 4, 8, 16))
        return random.choice((extent * factor, (extent - 1) * factor + 1, random.randint(1, 70)))

    return small, (larger(small.rows), larger(small.columns))
