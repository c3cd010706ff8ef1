"""What a drawn network has, by name: the summary counts how often each was tried."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from tests.fuzz.networks.graph import Net, Op, Shape


def features(net: Net) -> set[str]:
    """The features of a network."""
    shapes = net.shapes()
    makers = {op.name: op for op in net.ops}
    found = {name for op in net.ops for name in _of(op, [shapes[source] for source in op.sources], makers, net)}
    found |= {"input channels last" if entry.last else "input planar" for entry in net.inputs}
    found |= set(_of_shapes(list(shapes.values())))
    if len(net.inputs) > 1:
        found.add("several inputs")
    if len(net.outputs) > 1:
        found.add("several outputs")
    read = {source for op in net.ops for source in op.sources}
    if read & set(net.outputs):
        found.add("side output")
    return found


def _of(op: Op, sources: list[Shape], makers: dict[str, Op], net: Net) -> Iterator[str]:
    args, before = op.args, [makers[name] for name in op.sources if name in makers]
    match op.kind:
        case "conv":
            yield from _convolution(op, before)
        case "act":
            yield f"activation {args['how']}"
        case "add":
            yield from _residual(op, before, net)
        case "resize":
            yield f"resize {args['mode']}"
            yield f"resize {args['coordinates']}"
            yield "resize by scales" if "scales" in args else "resize to sizes"
            if args.get("last"):
                yield "resize channels last"
            if "scales" in args and any(scale != int(scale) for scale in args["scales"]):
                yield "resize by fractional scales"
            if args["mode"] == "nearest":
                yield f"resize {args['nearest']}"
        case "concat":
            yield "concatenated channels" if len(sources[0]) == 4 else "concatenated heads"
        case _:
            yield op.kind
    if op.kind != "concat" and any(other.kind == "concat" and len(sources[0]) == 3 for other in before):
        yield "operator behind concatenated heads"


def _convolution(op: Op, before: list[Op]) -> Iterator[str]:
    args, kernel = op.args, op.args["kernel"]
    depthwise = args.get("depthwise", False)
    yield "depthwise" if depthwise else ("1x1" if prod(kernel) == 1 else "dense window")
    if before and before[0].kind == "conv" and depthwise and before[0].args.get("depthwise"):
        yield "depthwise behind depthwise"
    if prod(kernel) > 1:
        yield f"kernel {kernel[0]}x{kernel[1]}" if kernel[0] == kernel[1] else "oblong kernel"
        yield f"stride {max(args['stride'])}"
        if max(args["dilation"]) > 1:
            yield "dilation"
        top, left, bottom, right = args["pads"]
        yield "uneven padding" if (top, left) != (bottom, right) else ("padding" if any(args["pads"]) else "no padding")
    yield "batch norm" if args.get("norm") else ("bias" if args.get("bias") else "no bias")


def _residual(op: Op, before: list[Op], net: Net) -> Iterator[str]:
    yield "residual"
    inputs = {entry.name: entry for entry in net.inputs}
    if any(name in inputs for name in op.sources):
        entry = next(inputs[name] for name in op.sources if name in inputs)
        yield "residual of the input, channels last" if entry.last else "residual of the planar input"
    if any(other.kind == "add" for other in before):
        yield "residual behind a residual"


def _of_shapes(shapes: list[Shape]) -> Iterator[str]:
    images = [shape for shape in shapes if len(shape) == 4]
    yield from ("one pixel" for shape in images if shape[2:] == (1, 1))
    yield from ("one row or column" for shape in images if 1 in shape[2:])
    yield from ("odd size" for shape in images if shape[2] % 2 or shape[3] % 2)
    yield from ("not square" for shape in images if shape[2] != shape[3])
    yield from ("one channel" for shape in images if shape[1] == 1)
    yield from ("channels beside the vector" for shape in images if shape[1] % 4)
    yield from ("over 64 channels" for shape in images if shape[1] > 64)
