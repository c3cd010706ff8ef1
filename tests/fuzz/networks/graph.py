"""A network as plain data, from which an ONNX model is written: what is drawn, and what is shrunk.

Values are NCHW inside, whatever order inputs and outputs have. All that an operator decides follows from its own name
and arguments and from the shapes of what it reads, so that a network stays meaningful when a part of it is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor, prod
from typing import Any

Shape = tuple[int, ...]

MOST_ELEMENTS = 120_000
"""Of one tensor: an emulated run stays short."""
MOST_PRODUCTS = 8_000_000
"""Of one convolution."""


class InvalidError(Exception):
    """The operators do not fit together."""


@dataclass(frozen=True)
class Input:
    """An input of ``shape``, mostly [1, C, H, W]; the file has it as [1, H, W, C] where it is ``last`` ."""

    name: str
    shape: Shape
    last: bool = False


@dataclass(frozen=True)
class Op:
    """One operator of ``kind`` (see `SHAPES`) that makes the value ``name``."""

    name: str
    kind: str
    sources: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)

    def with_args(self, **changes: Any) -> Op:
        return replace(self, args={**self.args, **changes})


@dataclass(frozen=True)
class Net:
    """Operators in an order in which they can run; ``seed`` draws the weights."""

    inputs: tuple[Input, ...]
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]
    seed: int
    opset: int = 17

    def shapes(self) -> dict[str, Shape]:
        """The shape of every value; InvalidError where operators do not fit."""
        found = {entry.name: entry.shape for entry in self.inputs}
        for op in self.ops:
            if any(source not in found for source in op.sources):
                raise InvalidError(f"{op.name} reads what nothing makes")
            found[op.name] = shape_of(op, [found[source] for source in op.sources])
        return found

    def pruned(self) -> Net:
        """Without the operators, and the inputs, that no output needs."""
        needed, kept = set(self.outputs), list[Op]()
        for op in reversed(self.ops):
            if op.name in needed:
                kept.append(op)
                needed.update(op.sources)
        inputs = tuple(entry for entry in self.inputs if entry.name in needed)
        return replace(self, inputs=inputs, ops=tuple(reversed(kept)))


def shape_of(op: Op, sources: Sequence[Shape]) -> Shape:
    """The shape that an operator makes of others; InvalidError where it cannot."""
    shape = SHAPES[op.kind](op, sources)
    if min(shape, default=1) < 1 or prod(shape) > MOST_ELEMENTS:
        raise InvalidError(f"{op.name} has shape {shape}")
    return tuple(shape)


def _image(shape: Shape) -> Shape:
    if len(shape) != 4:
        raise InvalidError(f"{shape} is no image")
    return shape


def groups(op: Op, channels: int) -> int:
    """The groups of a convolution of ``channels``: all where it is depthwise."""
    return channels if op.args.get("depthwise") else 1


def out_channels(op: Op, channels: int) -> int:
    return channels if op.args.get("depthwise") else int(op.args["out"])


def _conv(op: Op, sources: Sequence[Shape]) -> Shape:
    _, channels, *extents = _image(sources[0])
    result = [_windows(op, axis, extent) for axis, extent in enumerate(extents)]
    made = out_channels(op, channels)
    if prod(op.args["kernel"]) * prod(result) * made * channels // groups(op, channels) > MOST_PRODUCTS:
        raise InvalidError(f"{op.name} is too much work")
    return (1, made, *result)


def _windows(op: Op, axis: int, extent: int) -> int:
    kernel, stride = op.args["kernel"][axis], op.args["stride"][axis]
    dilation = op.args.get("dilation", (1, 1))[axis]
    pads = op.args["pads"]
    room = extent + pads[axis] + pads[axis + 2] - (kernel - 1) * dilation - 1
    if room < 0:
        raise InvalidError(f"{op.name}: the window is larger than the image")
    return int(room // stride + 1)


def _pool(op: Op, sources: Sequence[Shape]) -> Shape:
    _, channels, *extents = _image(sources[0])
    pads = op.args["pads"]
    if any(pads[axis] >= op.args["kernel"][axis] or pads[axis + 2] >= op.args["kernel"][axis] for axis in (0, 1)):
        raise InvalidError(f"{op.name}: a window of padding alone")
    return (1, channels, *(_windows(op, axis, extent) for axis, extent in enumerate(extents)))


def _same(op: Op, sources: Sequence[Shape]) -> Shape:
    return sources[0]


def _alike(op: Op, sources: Sequence[Shape]) -> Shape:
    if len(set(sources)) != 1:
        raise InvalidError(f"{op.name}: {sources}")
    return sources[0]


def _gate(op: Op, sources: Sequence[Shape]) -> Shape:
    image, gate = map(_image, sources)
    if gate != (1, image[1], 1, 1):
        raise InvalidError(f"{op.name}: {gate} is no gate of {image}")
    return image


def _concat(op: Op, sources: Sequence[Shape]) -> Shape:
    axis = op.args["axis"]
    if len({(len(shape), *shape[:axis], *shape[axis + 1 :]) for shape in sources}) != 1 or axis >= len(sources[0]):
        raise InvalidError(f"{op.name}: {sources}")
    total = sum(shape[axis] for shape in sources)
    return (*sources[0][:axis], total, *sources[0][axis + 1 :])


def _resize(op: Op, sources: Sequence[Shape]) -> Shape:
    batch, channels, *extents = _image(sources[0])
    if "sizes" in op.args:
        return (batch, channels, *op.args["sizes"])
    return (batch, channels, *(floor(extent * scale) for extent, scale in zip(extents, op.args["scales"], strict=True)))


def _mean(op: Op, sources: Sequence[Shape]) -> Shape:
    return (1, _image(sources[0])[1], 1, 1)


def _flatten(op: Op, sources: Sequence[Shape]) -> Shape:
    return (1, prod(sources[0]))


def _gemm(op: Op, sources: Sequence[Shape]) -> Shape:
    if len(sources[0]) != 2 or prod(sources[0]) * op.args["out"] > MOST_PRODUCTS:
        raise InvalidError(f"{op.name}: {sources[0]} is no vector")
    return (1, op.args["out"])


def _softmax(op: Op, sources: Sequence[Shape]) -> Shape:
    if op.args["axis"] >= len(sources[0]):
        raise InvalidError(f"{op.name}: no such axis")
    return sources[0]


def _transpose(op: Op, sources: Sequence[Shape]) -> Shape:
    order = op.args["order"]
    if len(order) != len(sources[0]):
        raise InvalidError(f"{op.name}: {order} of {sources[0]}")
    return tuple(sources[0][axis] for axis in order)


def _rows(op: Op, sources: Sequence[Shape]) -> Shape:
    """[1, rows, width] of anything whose size ``width`` divides."""
    total = prod(sources[0])
    if total % op.args["width"]:
        raise InvalidError(f"{op.name}: {sources[0]} has no rows of {op.args['width']}")
    return (1, total // op.args["width"], op.args["width"])


def _slice(op: Op, sources: Sequence[Shape]) -> Shape:
    axis, begin, end = (op.args[key] for key in ("axis", "begin", "end"))
    if axis >= len(sources[0]) or not 0 <= begin < end <= sources[0][axis]:
        raise InvalidError(f"{op.name}: {begin} to {end} of {sources[0]}")
    return (*sources[0][:axis], end - begin, *sources[0][axis + 1 :])


def _argmax(op: Op, sources: Sequence[Shape]) -> Shape:
    batch, _, *extents = _image(sources[0])
    return (batch, *extents)


SHAPES: dict[str, Any] = {
    "conv": _conv,
    "pool": _pool,
    "act": _same,
    "scale": _same,
    "add": _alike,
    "gate": _gate,
    "concat": _concat,
    "resize": _resize,
    "mean": _mean,
    "flatten": _flatten,
    "gemm": _gemm,
    "softmax": _softmax,
    "transpose": _transpose,
    "rows": _rows,
    "slice": _slice,
    "argmax": _argmax,
}
"""What every kind of operator makes of the shapes that it reads."""
