"""Random lines of blocks with and without expansions, as of MobileNetV1, MobileNetV4 and ResNet. See `chains`."""

from __future__ import annotations

from random import Random

from mnv2c.plan.chain import RELU6, Activation, Chain, Order, Shape, Stage, StageKind, Window, with_loads

CHANNELS = (3, 8, 16, 17, 24, 32, 40)


class Line:
    """A chain as it grows; ``folded`` are convolutions to which something is added, which nobody else may read."""

    def __init__(self, random: Random) -> None:
        self.random = random
        rows, columns = (random.choice((1, 2, 4, 5, 8, 12, 16)) for _ in range(2))
        self.image = Shape(rows, columns, random.choice(CHANNELS))
        self.stages: list[Stage] = []
        self.shapes = {"input_0": self.image}
        self.folded: set[str] = set()

    def add(self, kind: StageKind, source: str, channels: int, window: Window, clamp: Activation | None = None) -> str:
        shape = self.shapes[source]
        extents = [
            (extent + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
            for extent, pads, kernel, dilation, stride in zip(
                (shape.rows, shape.columns), window.padding, window.kernel, window.dilation, window.stride, strict=True
            )
        ]
        return self._put(Stage(f"{kind}_{len(self.stages)}", kind, (source,), Shape(*extents, channels), window, clamp))

    def _put(self, stage: Stage) -> str:
        self.stages.append(stage)
        self.shapes[stage.name] = stage.shape
        return stage.name

    def depthwise(self, source: str) -> str:
        return self.add(StageKind.DEPTHWISE, source, self.shapes[source].channels, self.window(), self.clamp())

    def window(self) -> Window:
        """A window that keeps at least a row and a column, of even and odd sizes, padded evenly or not."""
        random = self.random
        kernel, stride = random.choice((3, 3, 3, 5, 2)), random.choice((1, 1, 2))
        dilation = random.choice((1, 1, 2)) if stride == 1 else 1
        reach = (kernel - 1) * dilation
        pads = random.choice(((reach // 2, reach - reach // 2), (reach, 0), (0, reach)))
        return Window((kernel, kernel), (stride, stride), (dilation, dilation), (pads, pads))

    def clamp(self) -> Activation | None:
        return self.random.choice((RELU6, RELU6, None, Activation(-0.5, 0.75)))

    def multiply(self, source: str) -> str:
        """A 1x1 convolution, or now and then one of a window."""
        channels = self.random.choice((self.shapes[source].channels, *CHANNELS))
        if self.random.random() < 0.15:
            return self.add(StageKind.CONV, source, channels, self.window(), self.clamp())
        kind = self.random.choice((StageKind.EXPAND, StageKind.PROJECT))
        return self.add(kind, source, channels, Window(), self.clamp())

    def shortcut(self, last: str) -> str:
        """Add something of the same shape that was made before: the input, an expansion, a projection."""
        behind = {source for stage in self.stages for source in stage.sources if stage.name == last}
        same = [name for name, shape in self.shapes.items() if shape == self.shapes[last] and name != last]
        same = [name for name in same if name not in self.folded]
        same = [name for name in same if name not in behind or self.random.random() < 0.3]
        if not same:
            return last
        self.folded.add(last)
        sources = (last, self.random.choice(same))
        shape, clamp = self.shapes[last], self.random.choice((None, None, RELU6))
        return self._put(Stage(f"add_{len(self.stages)}", StageKind.ADD, sources, shape, Window(), clamp))


def line(random: Random) -> Chain:
    """Two to five blocks: depthwise and 1x1 convolutions in any order, shortcuts from anywhere, side outputs."""
    drawn = Line(random)
    last = "input_0"
    for _ in range(random.randint(2, 5)):
        if random.random() < 0.3:
            last = drawn.multiply(last)
        if random.random() < 0.9:
            last = drawn.depthwise(last)
        last = drawn.multiply(last)
        if random.random() < 0.5:
            last = drawn.shortcut(last)
    read = {source for stage in drawn.stages for source in stage.sources}
    names = [stage.name for stage in drawn.stages[:-1] if stage.name not in drawn.folded]
    sides = [name for name in names if name not in read or random.random() < 0.05]
    orders = (Order.NCHW,) if random.random() < 0.3 else ()
    return with_loads(Chain("line", (drawn.image,), tuple(drawn.stages), (last, *sides), input_orders=orders))
