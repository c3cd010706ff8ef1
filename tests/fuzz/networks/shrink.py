"""Makes a network that fails as small and plain as it can be while it fails in the same way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fuzz.networks.graph import Input, InvalidError, Net, Op
from tests.fuzz.networks.options import PLAIN, Options

Fails = Callable[[Net, Options], bool]


def shrink(net: Net, options: Options, fails: Fails, seconds: float = 120.0) -> tuple[Net, Options]:
    """Take the first simpler network that ``fails`` still, again and again; stop after so many seconds of work."""
    end = _spent() + seconds
    skipped = set[str]()
    while True:
        for simpler, plainer in candidates(net, options):
            if _spent() > end:
                return net, options
            key = repr((simpler, plainer))
            if key in skipped or not _fits(simpler):
                continue
            skipped.add(key)
            if fails(simpler, plainer):
                net, options = simpler, plainer
                break
        else:
            return net, options


def _spent() -> float:
    """Seconds of processor time of this process and its children: a busy machine shrinks as well as a quiet one."""
    return sum(os.times()[:4])


def _fits(net: Net) -> bool:
    try:
        net.shapes()
    except InvalidError:
        return False
    return bool(net.outputs and net.ops and net.inputs)


def candidates(net: Net, options: Options) -> Iterator[tuple[Net, Options]]:
    """Simpler networks, the boldest first."""
    for plainer in _options(options):
        yield net, plainer
    for simpler in _networks(net):
        yield simpler, options


def _options(options: Options) -> Iterator[Options]:
    for name in ("schedules", "limit", "threads", "target", "join"):
        if getattr(options, name) != getattr(PLAIN, name):
            yield replace(options, **{name: getattr(PLAIN, name)})
    if options.threads > 2:
        yield replace(options, threads=2)
    if options.limit:
        yield replace(options, limit=0.0)


def _networks(net: Net) -> Iterator[Net]:
    if len(net.outputs) > 1:
        for name in net.outputs:
            yield replace(net, outputs=(name,)).pruned()
        for name in net.outputs:
            yield replace(net, outputs=tuple(other for other in net.outputs if other != name)).pruned()
    yield from _halves(net)
    yield from _ended_earlier(net)
    yield from _begun_later(net)
    yield from (_without(net, op, source) for op in net.ops for source in dict.fromkeys(op.sources))
    yield from _smaller(net)
    yield from (_with(net, changed) for op in net.ops for changed in _plainer(op))


def _halves(net: Net) -> Iterator[Net]:
    """The operators up to one of them, and those from it on."""
    try:
        shapes = net.shapes()
    except InvalidError:
        return
    count = len(net.ops)
    for cut in dict.fromkeys(count * eighths // 8 for eighths in (4, 6, 2, 7, 1)):
        if 0 < cut < count:
            first, rest = net.ops[:cut], net.ops[cut:]
            read = {source for op in first for source in op.sources}
            ends = tuple(op.name for op in first if op.name in net.outputs or op.name not in read)
            yield replace(net, ops=first, outputs=ends).pruned()
            wanted = {source for op in rest for source in op.sources}
            made = [Input(op.name, shapes[op.name]) for op in first if op.name in wanted]
            left = {op.name for op in rest}
            outputs = tuple(name for name in net.outputs if name in left)
            yield replace(net, inputs=(*net.inputs, *made), ops=rest, outputs=outputs).pruned()


def _ended_earlier(net: Net) -> Iterator[Net]:
    """An output is what the one before it reads."""
    makers = {op.name: op for op in net.ops}
    for name in net.outputs:
        for source in makers[name].sources if name in makers else ():
            if source in makers:
                names = [source if other == name else other for other in net.outputs]
                yield replace(net, outputs=tuple(dict.fromkeys(names))).pruned()


def _begun_later(net: Net) -> Iterator[Net]:
    """A value in the middle is an input."""
    try:
        shapes = net.shapes()
    except InvalidError:
        return
    for op in reversed(net.ops):
        if op.name not in net.outputs:
            made = Input(op.name, shapes[op.name])
            ops = tuple(other for other in net.ops if other is not op)
            yield replace(net, inputs=(*net.inputs, made), ops=ops).pruned()


def _without(net: Net, op: Op, source: str) -> Net:
    """Whoever reads an operator's result reads ``source`` instead."""
    ops = [
        replace(other, sources=tuple(source if name == op.name else name for name in other.sources))
        for other in net.ops
        if other is not op
    ]
    made = {other.name for other in ops}
    outputs = [source if name == op.name else name for name in net.outputs]
    return replace(net, ops=tuple(ops), outputs=tuple(name for name in dict.fromkeys(outputs) if name in made)).pruned()


def _smaller(net: Net) -> Iterator[Net]:
    """With inputs and convolutions of smaller extents: all of one extent at once, so that sums of them still fit."""
    rank = max(len(entry.shape) for entry in net.inputs)
    for axis in range(1, rank):
        for extent in sorted({entry.shape[axis] for entry in net.inputs if len(entry.shape) > axis}, reverse=True):
            for less in _less(extent):
                yield replace(net, inputs=tuple(_cut(entry, axis, extent, less) for entry in net.inputs))
    for index, entry in enumerate(net.inputs):
        if entry.last:
            yield replace(net, inputs=(*net.inputs[:index], replace(entry, last=False), *net.inputs[index + 1 :]))
    if net.opset != PLAIN_OPSET:
        yield replace(net, opset=PLAIN_OPSET)
    for size in sorted({op.args["out"] for op in net.ops if "out" in op.args}, reverse=True):
        for less in _less(size):
            alike = (op.with_args(out=less) if op.args.get("out") == size else op for op in net.ops)
            yield replace(net, ops=tuple(alike), inputs=tuple(_cut(entry, 1, size, less) for entry in net.inputs))


def _cut(entry: Input, axis: int, extent: int, less: int) -> Input:
    if len(entry.shape) <= axis or entry.shape[axis] != extent:
        return entry
    return replace(entry, shape=(*entry.shape[:axis], less, *entry.shape[axis + 1 :]))


PLAIN_OPSET = 17


def _less(extent: int) -> list[int]:
    return [size for size in dict.fromkeys((1, 2, 3, 4, 8, extent // 2, extent - 1)) if 0 < size < extent]


def _plainer(op: Op) -> Iterator[Op]:
    if op.kind in ("conv", "pool"):
        plain = {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "pads": (0, 0, 0, 0)}
        usual = {**plain, "kernel": (3, 3), "pads": (1, 1, 1, 1)}
        choices = [plain, usual, {**usual, "stride": (2, 2)}, {"stride": (1, 1)}, {"norm": False}, {"bias": False}]
        for choice in choices:
            known = {key: value for key, value in choice.items() if key in op.args}
            if any(op.args[key] != value for key, value in known.items()):
                yield op.with_args(**known)
        for axis in range(4):
            if op.args["pads"][axis]:
                pads = list(op.args["pads"])
                pads[axis] = 0
                yield op.with_args(pads=tuple(pads))
    elif op.kind == "act" and op.args["how"] != "Relu":
        yield Op(op.name, op.kind, op.sources, {"how": "Relu"})
    elif op.kind == "gemm":
        yield from (op.with_args(out=less) for less in _less(op.args["out"]))
    elif op.kind == "resize" and op.args.get("last"):
        yield op.with_args(last=False)


def _with(net: Net, op: Op) -> Net:
    return replace(net, ops=tuple(op if other.name == op.name else other for other in net.ops))
