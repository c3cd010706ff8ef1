"""Random chains and schedules to try the kernel generator with, drawn from a ``random.Random``.

Hypothesis' ``st.randoms`` is one too, so the same code serves its shrinkable cases and the batches that are compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt

from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import MATRIX_KINDS, RELU6, Activation, Chain, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.rows import flow
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile
from tests.kernels import lines, segments

Array = npt.NDArray[np.float32]
Pads = tuple[tuple[int, int], tuple[int, int]]

CHANNELS = (1, 3, 4, 5, 7, 8, 12, 16, 17, 20, 24, 32, 33, 40)
NO_PADS: Pads = ((0, 0), (0, 0))


def out_shape(shape: Shape, window: Window, channels: int) -> Shape:
    """The shape of a convolution's result."""
    extents = [
        (extent + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
        for extent, pads, kernel, dilation, stride in zip(
            (shape.rows, shape.columns), window.padding, window.kernel, window.dilation, window.stride, strict=True
        )
    ]
    return Shape(extents[0], extents[1], channels)


class Builder:
    """Adds stages by kind; shapes follow from windows."""

    def __init__(self, *inputs: Shape) -> None:
        self.inputs, self.stages = inputs, list[Stage]()

    def shape(self, name: str) -> Shape:
        return Chain("", self.inputs, tuple(self.stages), ()).shape(name)

    def add(
        self, name: str, kind: StageKind, source: str, channels: int = 0, window: Window | None = None,
        activation: Activation | None = None, second: str = "",
    ) -> str:  # fmt: skip
        shape, window = self.shape(source), window or Window()
        result = out_shape(shape, window, channels or shape.channels)
        if kind is StageKind.POOL:
            result = Shape(1, 1, shape.channels)
        sources = (source, second) if second else (source,)
        self.stages.append(Stage(name, kind, sources, result, window, activation))
        return name

    def chain(self, kind: str, *outputs: str) -> Chain:
        return with_loads(Chain(kind, self.inputs, tuple(self.stages), outputs))


def image(random: Random, channels: int | None = None, least: int = 1) -> Shape:
    """A small image, odd and tiny ones among them."""
    rows, columns = (random.choice((1, 2, 3, 5, 6, 7, 8, 9, 12, 14, 16)) for _ in range(2))
    return Shape(max(rows, least), max(columns, least), channels or random.choice(CHANNELS))


def window(
    random: Random, shape: Shape, kernels: tuple[int, ...] = (3,), strides: tuple[int, ...] = (1, 2), same: bool = False
) -> Window:
    """A window with symmetric, TensorFlow's or arbitrary padding; ``same`` keeps the shape."""
    kernel, dilation = random.choice(kernels), random.choice((1, 1, 1, 2, 4))
    stride = 1 if same or dilation > 1 else random.choice(strides)
    reach = (kernel - 1) * dilation
    style = random.choice(("half", "half", "late", "any"))

    def pads(extent: int) -> tuple[int, int]:
        if style == "late" and stride > 1:
            total = max(0, (-(-extent // stride) - 1) * stride + reach + 1 - extent)
            return total // 2, total - total // 2
        if style == "any":
            before = random.randint(0, reach)
            after = reach - before if same else random.randint(max(0, reach + 1 - extent - before), reach + 1)
            return before, max(after, 0)
        return reach // 2, reach - reach // 2

    padding = (pads(shape.rows), pads(shape.columns))
    return Window((kernel, kernel), (stride, stride), (dilation, dilation), padding)


def oblong(random: Random) -> Window:
    """A window whose rows and columns differ in everything."""
    kernel = random.choice(((1, 3), (3, 1), (2, 3), (3, 2), (4, 4)))
    dilation = random.choice(((1, 1), (1, 2), (2, 1)))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    pads = ((reach[0] // 2, reach[0] - reach[0] // 2), (reach[1], 0))
    return Window(kernel, random.choice(((1, 1), (1, 2), (2, 1))), dilation, pads)


def activation(random: Random) -> Activation | None:
    return random.choice((RELU6, RELU6, None, Activation(-0.5, 0.75)))


def bottleneck(random: Random, *, t1: bool = False, kernels: tuple[int, ...] = (3,)) -> Chain:
    """Expand (unless t = 1), depthwise, project; a shortcut where shapes allow, sometimes in place."""
    shape = image(random)
    shortcut = random.random() < 0.6
    build = Builder(shape)
    source = "input_0" if t1 else build.add("expand", StageKind.EXPAND, "input_0", random.choice(CHANNELS), None, RELU6)
    seen = window(random, shape, kernels, same=shortcut)
    build.add("depthwise", StageKind.DEPTHWISE, source, 0, seen, activation(random))
    ends = random.choice((None, None, RELU6, Activation(-0.5, 0.75)))
    last = build.add("project", StageKind.PROJECT, "depthwise", shape.channels if shortcut else random.choice(CHANNELS),
                     None, ends)  # fmt: skip
    if shortcut:
        last = build.add("add", StageKind.ADD, "project", second="input_0")
    chain = build.chain("bottleneck", last)
    return replace(chain, in_place=shortcut and random.random() < 0.6)


def late(random: Random) -> Chain:
    """A bottleneck of a small image with many channels, as those whose expansion is cut into chunks."""
    shape = Shape(random.choice((3, 4, 7)), random.choice((3, 5, 7)), random.choice((8, 12, 16)))
    build, shortcut = Builder(shape), random.random() < 0.6
    build.add("expand", StageKind.EXPAND, "input_0", random.choice((40, 48, 64, 72, 96)), None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, window(random, shape, same=shortcut), RELU6)
    ends = random.choice((None, RELU6))
    last = build.add("project", StageKind.PROJECT, "depthwise", shape.channels if shortcut else 20, None, ends)
    if shortcut:
        last = build.add("add", StageKind.ADD, "project", 0, None, random.choice((None, RELU6)), "input_0")
    return build.chain("bottleneck", last)


def dense(random: Random) -> Chain:
    """A vector times a matrix."""
    build = Builder(Shape(1, 1, random.choice(CHANNELS) * random.choice((1, 7))))
    channels = random.choice(CHANNELS) * random.choice((1, 5))
    return build.chain("dense", build.add("dense", StageKind.DENSE, "input_0", channels, None, activation(random)))


def stem(random: Random) -> Chain:
    """A 3x3 convolution of a three-channel image, alone or with the t = 1 block after it."""
    shape = image(random, channels=3, least=3)
    build = Builder(shape)
    last = build.add("stem", StageKind.STEM, "input_0", random.choice(CHANNELS), window(random, shape), RELU6)
    if random.random() < 0.7:
        seen = window(random, build.shape("stem"), strides=(1,))
        build.add("depthwise", StageKind.DEPTHWISE, "stem", 0, seen, RELU6)
        last = build.add("project", StageKind.PROJECT, "depthwise", random.choice(CHANNELS))
    return build.chain("stem", last)


def convolution(random: Random) -> Chain:
    """A dense k x k convolution of the chain's input, or of an expansion that other stages may read too."""
    shape = image(random)
    build = Builder(shape)
    style = random.choice(("input", "pixels", "blocks"))
    if style == "input":
        build.add("conv", StageKind.CONV, "input_0", random.choice(CHANNELS), window(random, shape, (2, 3)), RELU6)
        return build.chain("convolution", "conv")
    channels = random.choice(CHANNELS)
    build.add("expand", StageKind.EXPAND, "input_0", channels, None, RELU6)
    same = style == "blocks"
    build.add("conv", StageKind.CONV, "expand", channels, window(random, shape, same=same), activation(random))
    if style == "pixels":
        return build.chain("convolution", "conv")
    return build.chain("convolution", build.add("add", StageKind.ADD, "conv", second="expand"))


def single(random: Random) -> Chain:
    """One stage alone, with any window."""
    kind = random.choice((StageKind.DEPTHWISE, StageKind.CONV, StageKind.POINTWISE, StageKind.POOL))
    shape = image(random, least=4)
    build, seen = Builder(shape), None
    if kind is StageKind.DEPTHWISE:
        seen = random.choice((oblong(random), window(random, shape, (3, 5)), Window(stride=(2, 2))))
    elif kind is StageKind.CONV:
        seen = random.choice((oblong(random), Window(stride=(2, 2)), Window(padding=((1, 0), (1, 1)))))
    channels = 0 if kind in (StageKind.DEPTHWISE, StageKind.POOL) else random.choice(CHANNELS)
    clamp = None if kind is StageKind.POOL else activation(random)
    return build.chain("single", build.add("only", kind, "input_0", channels, seen, clamp))


def head(random: Random) -> Chain:
    """A convolution and the global mean of its result."""
    shape = image(random, least=2)
    build = Builder(shape)
    kind = random.choice((StageKind.POINTWISE, StageKind.POINTWISE, StageKind.POINTWISE, StageKind.CONV))
    seen = window(random, shape) if kind is StageKind.CONV else None
    if random.random() < 0.3:
        build.add("depthwise", StageKind.DEPTHWISE, "input_0", 0, window(random, shape, strides=(1,), same=True))
        build.add("pointwise", kind, "depthwise", random.choice(CHANNELS), seen, RELU6)
    else:
        build.add("pointwise", kind, "input_0", random.choice(CHANNELS), seen, RELU6)
    return build.chain("head", build.add("pool", StageKind.POOL, "pointwise"))


def pooled(random: Random) -> Chain:
    """A global mean that cannot be folded: of a depthwise stage, or of a result that leaves the kernel too."""
    shape = image(random, channels=random.choice((4, 8, 16, 24, 32)), least=2)
    build = Builder(shape)
    build.add("depthwise", StageKind.DEPTHWISE, "input_0", 0, window(random, shape, strides=(1,), same=True), RELU6)
    return build.chain("pooled", build.add("pool", StageKind.POOL, "depthwise"))


def sides(random: Random) -> Chain:
    """Several outputs: the expansion (read by an SSD head), and a second branch on the same rows."""
    shape = image(random, least=2)
    build = Builder(shape)
    build.add("expand", StageKind.EXPAND, "input_0", random.choice(CHANNELS), None, RELU6)
    seen = window(random, shape, strides=(1, 2))
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, seen, RELU6)
    outputs = [name for name in ("expand", "depthwise") if random.random() < 0.6]
    if random.random() < 0.5:
        build.add("pointwise", StageKind.POINTWISE, "depthwise", random.choice(CHANNELS), None, activation(random))
        outputs.append("pointwise")
    last = build.add("project", StageKind.PROJECT, "depthwise", random.choice(CHANNELS))
    return build.chain("sides", last, *outputs)


def streamed(random: Random) -> Chain:
    """Two bottlenecks in one kernel, the second with its shortcut from a ring."""
    shape = image(random, least=2)
    build = Builder(shape)
    build.add("expand", StageKind.EXPAND, "input_0", random.choice(CHANNELS), None, RELU6)
    build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, window(random, shape), RELU6)
    middle = build.add("project", StageKind.PROJECT, "depthwise", random.choice(CHANNELS))
    build.add("expand_2", StageKind.EXPAND, middle, random.choice(CHANNELS), None, RELU6)
    seen = window(random, build.shape(middle), same=True)
    build.add("depthwise_2", StageKind.DEPTHWISE, "expand_2", 0, seen, RELU6)
    build.add("project_2", StageKind.PROJECT, "depthwise_2", build.shape(middle).channels)
    return build.chain("streamed", build.add("add", StageKind.ADD, "project_2", second=middle))


def strided_sums(random: Random) -> Chain:
    """A residual block of a ring or of the input, whose sum readers with a stride take several rows of at once."""
    shape = image(random, least=2)
    build = Builder(shape)
    before = "input_0"
    if random.random() < 0.5:
        before = build.add("pointwise", StageKind.POINTWISE, before, random.choice(CHANNELS), None, RELU6)
    channels = build.shape(before).channels
    kind = random.choice((StageKind.CONV, StageKind.DEPTHWISE))
    seen = window(random, shape, same=True)
    build.add("seen", kind, before, 0 if kind is StageKind.DEPTHWISE else random.choice(CHANNELS), seen, RELU6)
    build.add("project", StageKind.PROJECT, "seen", channels)
    total = build.add("add", StageKind.ADD, "project", 0, None, activation(random), before)
    ends = []
    if random.random() < 0.5:
        stride = Window(stride=(2, 2))
        ends.append(build.add("shortcut", StageKind.POINTWISE, total, random.choice(CHANNELS), stride))
    kind = random.choice((StageKind.CONV, StageKind.DEPTHWISE))
    half = Window((3, 3), (2, 2), padding=((1, 1), (1, 1)))
    ends.append(build.add("last", kind, total, 0 if kind is StageKind.DEPTHWISE else random.choice(CHANNELS), half))
    side = [total] if random.random() < 0.2 else []
    return build.chain("sums", *reversed(ends), *side)


def predictions(random: Random) -> Chain:
    """What a detector computes from one or two maps: heads on an expansion, and on the coarser result of its block."""
    shape = image(random, least=2)
    build = Builder(shape)
    build.add("expand", StageKind.EXPAND, "input_0", random.choice(CHANNELS), None, RELU6)
    outputs = _heads(random, build, "expand", "fine")
    if random.random() < 0.8:
        build.add("depthwise", StageKind.DEPTHWISE, "expand", 0, window(random, shape), RELU6)
        last = build.add("project", StageKind.PROJECT, "depthwise", random.choice(CHANNELS), None, activation(random))
        outputs.append(last)
        if random.random() < 0.4:
            outputs += _heads(random, build, last, "coarse")
    side = ["expand"] if random.random() < 0.3 else []
    return build.chain("predictions", *reversed(outputs), *side)


def _heads(random: Random, build: Builder, source: str, name: str) -> list[str]:
    """Boxes and scores: separable, as one convolution of a window, or pointwise."""
    ends = []
    for part in ("boxes", "scores"):
        style, channels = random.choice(("separable", "separable", "regular", "pointwise")), random.choice(CHANNELS)
        seen = window(random, build.shape(source), strides=(1,), same=True)
        before = source
        if style == "separable":
            before = build.add(f"{name}_{part}_depthwise", StageKind.DEPTHWISE, source, 0, seen, RELU6)
        kind = StageKind.CONV if style == "regular" else StageKind.POINTWISE
        ends.append(build.add(f"{name}_{part}", kind, before, channels, seen if style == "regular" else None))
    return ends


FAMILIES: dict[str, Callable[[Random], Chain]] = {
    "bottleneck": bottleneck,
    "bottleneck 5x5": lambda random: bottleneck(random, kernels=(5,)),
    "late": late,
    "dense": dense,
    "t = 1": lambda random: bottleneck(random, t1=True),
    "stem": stem,
    "convolution": convolution,
    "single": single,
    "head": head,
    "pooled": pooled,
    "sides": sides,
    "streamed": streamed,
    "branch": segments.branch,
    "resize": segments.resize,
    "mask": segments.mask,
    "predictions": predictions,
    "strided sums": strided_sums,
    "line": lines.line,
}


def chain(random: Random, family: str) -> Chain:
    """Draw a chain whose every stage has at least one pixel."""
    while True:
        drawn = FAMILIES[family](random)
        if all(stage.shape.rows > 0 and stage.shape.columns > 0 for stage in drawn.stages):
            return drawn


def schedule(random: Random, chain: Chain, provider: Provider) -> ChainSchedule:
    """Draw a schedule that is legal for the chain: rows, chunk, tiles, unrolling, depthwise shape, prefetch."""
    lanes, last = provider.lanes, chain.stages[-1].shape.rows
    legal = [(pixels, vectors) for pixels in range(1, 16) for vectors in range(1, 5) if provider.fits(pixels, vectors)]
    tiles = [
        Tile(*random.choice(legal), unroll=random.choice((1, 2, 3, 4, 8, 16)))
        for stage in chain.stages
        if stage.kind in MATRIX_KINDS
    ]
    rows = random.choice([0, 1, 1, *(rows for rows in range(1, last + 1) if last % rows == 0)])
    kinds = [stage.kind for stage in chain.stages if stage.kind not in (StageKind.ADD, StageKind.LOAD)]
    chunk = 0
    if (
        kinds == [StageKind.EXPAND, StageKind.DEPTHWISE, StageKind.PROJECT]
        and not chain.in_place
        and len(chain.outputs) == 1
    ):
        expand = next(stage for stage in chain.stages if stage.kind is StageKind.EXPAND)
        vectors = -(-expand.shape.channels // lanes)
        per_chunk = random.choice([0, *(count for count in range(1, vectors + 1) if vectors % count == 0)])
        if per_chunk:
            chunk, rows = per_chunk * lanes, 0
            whole = [tile for tile in legal if per_chunk % tile[1] == 0]
            tiles[0] = replace(tiles[0], **dict(zip(("pixels", "vectors"), random.choice(whole), strict=True)))
    rows = legal_rows(chain, rows)
    depthwise = []
    for stage in chain.stages:
        if stage.kind is StageKind.DEPTHWISE:
            pixels = random.randint(1, 9)
            depthwise.append(
                DepthwiseTile(
                    pixels,
                    random.randint(1, pixels),
                    carry(random, chain, stage, rows, lanes, tiles),
                    random.random() < 0.4 and not chain.in_place,
                )
            )
    drawn = ChainSchedule(rows, chunk, tuple(tiles), tuple(depthwise), random.random() < 0.5)
    return switched(random, chain, provider, drawn)


def switched(random: Random, chain: Chain, provider: Provider, drawn: ChainSchedule) -> ChainSchedule:
    """The schedule with switches turned, sometimes, where they may be: other products, rows by channel, exact."""
    found = drawn
    for index, tile in enumerate(drawn.tiles):
        for way in ("strassen", "summed"):
            other = replace(tile, strassen=way == "strassen", summed=way == "summed")
            changed = replace(found, tiles=(*found.tiles[:index], other, *found.tiles[index + 1 :]))
            if random.random() < 0.4 and is_legal(chain, changed, provider):
                found = changed
    for index, row in enumerate(drawn.depthwise):
        for change in ({"by_channel": True}, {"exact": True}):
            rows = [*found.depthwise[:index], replace(found.depthwise[index], **change), *found.depthwise[index + 1 :]]
            changed = replace(found, depthwise=tuple(rows))
            tried = random.random() < (0.4 if "by_channel" in change else 0.8)
            if tried and (not row.carry or "exact" not in change) and is_legal(chain, changed, provider):
                found = changed
    return found


def is_legal(chain: Chain, schedule: ChainSchedule, provider: Provider) -> bool:
    """Whether the kernel generator takes the schedule."""
    try:
        kernel_layout(chain, schedule, provider)
    except ScheduleError:
        return False
    return True


def carry(random: Random, chain: Chain, stage: Stage, rows: int, lanes: int, tiles: list[Tile]) -> int:
    """Channels in flight where sums may be carried, sometimes; the tile of the stage before is cut to fit."""
    read = with_loads(chain)
    if (
        rows == 0
        or flow(chain, rows).stages[stage.name].rows != 1
        or not may_carry(chain, stage)
        or random.random() < 0.3
    ):
        return 0
    matrices = [entry.name for entry in read.stages if entry.kind in MATRIX_KINDS]
    index = matrices.index(stage.sources[0])
    vectors = -(-stage.shape.channels // lanes)
    count = random.choice([count for count in range(1, vectors + 1) if vectors % count == 0])
    width = max(width for width in range(1, tiles[index].vectors + 1) if count % width == 0)
    tiles[index] = replace(tiles[index], vectors=width)
    return count * lanes


def legal_rows(chain: Chain, rows: int) -> int:
    """``rows``, or 0 where only the whole image works: pooling, and readers that move at different rates."""
    if any(stage.kind is StageKind.POOL for stage in chain.stages):
        return 0
    try:
        flow(chain, rows)
    except ScheduleError:
        return 0
    return rows


@dataclass(frozen=True, eq=False)
class Case:
    """One chain with its schedule, inputs and weights; ``str`` is enough to make it again."""

    name: str
    chain: Chain
    schedule: ChainSchedule
    provider: Provider
    inputs: tuple[Array, ...]
    weights: dict[str, tuple[Array, Array]]

    def __str__(self) -> str:
        return f"{self.name}: {self.chain} {self.schedule}"


def case(seed: int, family: str, provider: Provider) -> Case:
    """The case of this family and seed: always the same one."""
    random = Random(f"{family} {seed}")
    drawn = chain(random, family)
    chosen = schedule(random, drawn, provider)
    kernel_layout(drawn, chosen, provider)  # raises where the generator above drew an illegal schedule
    inputs, weights = tensors(drawn, seed)
    return Case(f"{family} {seed} on {provider.name}", drawn, chosen, provider, inputs, weights)


def tensors(chain: Chain, seed: int) -> tuple[tuple[Array, ...], dict[str, tuple[Array, Array]]]:
    """Random inputs and weights, scaled so that results neither vanish nor all sit at a bound of ReLU6."""
    generator = np.random.default_rng(seed)
    inputs = tuple(generator.standard_normal((s.rows, s.columns, s.channels), np.float32) for s in chain.inputs)
    weights = {}
    for stage in chain.stages:
        if stage.kind in MATRIX_KINDS or stage.kind is StageKind.DEPTHWISE:
            depth = 1 if stage.kind is StageKind.DEPTHWISE else chain.shape(stage.sources[0]).channels
            taps = generator.standard_normal((*stage.window.kernel, depth, stage.shape.channels), np.float32)
            bias = generator.uniform(-0.5, 1.5, stage.shape.channels).astype(np.float32)
            weights[stage.name] = (taps * np.float32(1.5 / np.sqrt(depth * stage.window.taps)), bias)
    return inputs, weights
