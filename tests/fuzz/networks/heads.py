"""How drawn networks end: classes, predictions from several maps, masks, images; and operators behind these."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from tests.fuzz.networks.graph import Shape
from tests.fuzz.networks.sketch import FEW, Sketch

NHWC = (0, 2, 3, 1)


def raw(to: Sketch, value: str) -> None:
    """The last image itself, planar or with channels last."""
    to.outputs.append(to.add("transpose", value, order=NHWC) if to.chance(0.5) else value)


def classes(to: Sketch, value: str) -> None:
    """The mean and a classifier, or a classifier of a whole small image."""
    out = to.random.choice((1, 2, 5, 10, 21, 40))
    if to.chance(0.8):
        if to.chance(0.5):
            value = to.act(to.conv(value, to.random.choice((16, 40, 64, 100))))
        value = to.add("mean", value, how=to.random.choice(("global", "global", "reduce", "most")))
    if to.known[value][2:] == (1, 1) and to.chance(0.3):
        value = to.add("flatten", to.conv(value, out))
    else:
        value = to.act(to.add("gemm", to.add("flatten", value), out=out, bias=to.chance(0.8)), 0.2)
    to.outputs.append(behind(to, value) if to.chance(0.5) else value)


def predictions(to: Sketch, value: str) -> None:
    """Predictions from one to four maps, as rows, concatenated: SSD's; perhaps two kinds of them."""
    last, width = to.known[value], to.random.choice((1, 2, 4, 7, 21))
    maps = [name for name, shape in to.known.items() if len(shape) == 4 and prod(shape[2:]) <= 600 and shape != last]
    chosen = [value, *to.random.sample(maps, min(len(maps), to.random.randint(1, 3)))]
    for _ in range(1 if to.chance(0.6) else 2):
        flat = [_rows(to, name, width, to.random.randint(1, 3)) for name in chosen]
        joined = to.add("concat", *flat, axis=1) if len(flat) > 1 else flat[0]
        to.outputs.append(behind(to, joined) if to.chance(0.65) else joined)
        width = to.random.choice((1, 4, 9))


def _rows(to: Sketch, value: str, width: int, boxes: int) -> str:
    if to.chance(0.4):
        value = to.act(to.conv(value, 0, to.window(value, True), depthwise=True))
    value = to.conv(value, width * boxes, None if to.chance(0.7) else to.window(value, True, ((3, 3),)))
    return to.add("rows", to.add("transpose", value, order=NHWC), width=width)


def behind(to: Sketch, value: str) -> str:
    """Operators behind a head: scores of logits, boxes of offsets, a part, another order."""
    for _ in range(to.random.choice((1, 1, 2, 3))):
        shape = to.known[value]
        kind = to.random.choice(("softmax", "sigmoid", "scale", "slice", "transpose", "rows"))
        if kind == "softmax":
            value = to.add("softmax", value, axis=len(shape) - 1)
        elif kind == "sigmoid":
            value = to.add("act", value, how="Sigmoid")
        elif kind == "scale":
            operator = to.random.choice(("Mul", "Add", "Div", "Sub"))
            value = to.add("scale", value, operator=operator, by=to.random.choice((0.1, 0.2, 10.0)))
        elif kind == "slice":
            value = to.add("slice", value, **_part(to, shape))
        elif kind == "transpose":
            value = to.add("transpose", value, order=tuple(to.random.sample(range(len(shape)), len(shape))))
        else:
            value = to.add("rows", value, width=shape[-1])
    return value


def _part(to: Sketch, shape: Shape) -> dict[str, int]:
    axis = to.random.randrange(1, len(shape))
    begin = to.random.randrange(shape[axis])
    return {"axis": axis, "begin": begin, "end": to.random.randint(begin + 1, shape[axis])}


def mask(to: Sketch, value: str) -> None:
    """Scores per pixel, resized, and the best class."""
    value = to.conv(value, to.random.choice((2, 5, 21)))
    extents = to.known[value][2:]
    args: dict[str, Any] = {"mode": "linear", "coordinates": to.random.choice(("half_pixel", "align_corners"))}
    value = to.add("resize", value, sizes=tuple(extent * to.random.choice((2, 4)) for extent in extents), **args)
    to.outputs.append(to.add("argmax", value) if to.chance(0.6) else value)


def several(to: Sketch, value: str) -> None:
    """Two heads that read the same, or one another's."""
    for _ in range(2):
        head = to.conv(value, to.random.choice(FEW))
        if to.chance(0.5):
            head = to.act(to.conv(to.act(head), 0, to.window(head, True), depthwise=True))
        to.outputs.append(behind(to, head) if to.chance(0.4) else head)
        if to.chance(0.3):
            value = head


HEADS: dict[str, Callable[[Sketch, str], None]] = {
    "raw": raw,
    "classes": classes,
    "predictions": predictions,
    "mask": mask,
    "several": several,
}
