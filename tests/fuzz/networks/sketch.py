"""A network while it is drawn: operators are added one by one, and every value may be read again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.networks.graph import Input, InvalidError, Net, Op, Shape, shape_of

ACTIVATIONS: tuple[tuple[int, dict[str, Any]], ...] = (
    (9, {"how": "clip", "low": 0.0, "high": 6.0}),
    (8, {"how": "Relu"}),
    (2, {"how": "clip", "low": -0.5, "high": 0.75}),
    (1, {"how": "clip", "low": -1.0, "high": 1.0}),
    (3, {"how": "max_min", "low": 0.0, "high": 6.0}),
    (2, {"how": "min_max", "low": 0.0, "high": 6.0}),
    (1, {"how": "min_max", "low": -0.25, "high": 0.5}),
    (1, {"how": "clip", "low": 0.0, "high": None}),
    (1, {"how": "clip", "low": None, "high": 1.5}),
    (1, {"how": "max_min", "low": 0.0, "high": None}),
    (1, {"how": "HardSwish"}),
    (1, {"how": "Sigmoid"}),
    (1, {"how": "LeakyRelu"}),
)
"""How often each is drawn, and its arguments."""
USUAL = 5
"""The first of these are clamps that kernels take in wherever they stand behind a convolution."""

KERNELS = ((3, 3),) * 10 + ((5, 5),) * 3 + ((1, 1), (2, 2), (4, 4), (6, 6), (7, 7), (1, 3), (3, 1), (2, 3), (5, 2))
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 28, 31, 32, 33, 40, 48, 57, 64, 72, 96, 100)
FEW = tuple(count for count in CHANNELS if count <= 33)
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 20, 23, 24, 28, 32)


class Sketch:
    """Operators so far; a ``usual`` network has only the first activations, so that its chains become long."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.inputs: list[Input] = []
        self.ops: list[Op] = []
        self.outputs: list[str] = []
        self.known: dict[str, Shape] = {}
        self.norm = random.choice((0.0, 0.5, 1.0))
        self.bias = random.choice((0.0, 0.7, 1.0))
        self.usual = random.random() < 0.7
        self.opset = random.choice((13, 17, 17, 18, 20))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def input(self, shape: Shape, last: bool) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(Input(name, shape, last))
        self.known[name] = shape
        return name

    def add(self, kind: str, *sources: str, **args: Any) -> str:
        """Add an operator and return its value; InvalidError where it does not fit."""
        op = Op(f"{kind}_{len(self.ops)}", kind, sources, args)
        self.known[op.name] = shape_of(op, [self.known[source] for source in sources])
        self.ops.append(op)
        return op.name

    def attempt(self, block: Callable[[Sketch, str], str], source: str) -> str:
        """Add a block behind ``source``; nothing where it does not fit, and ``source`` is returned."""
        count = len(self.ops)
        try:
            return block(self, source)
        except InvalidError:
            for op in self.ops[count:]:
                del self.known[op.name]
            del self.ops[count:]
            return source

    def channels(self, name: str) -> int:
        return self.known[name][1]

    def alike(self, name: str) -> list[str]:
        """Other values of the same shape."""
        return [other for other, shape in self.known.items() if shape == self.known[name] and other != name]

    def act(self, name: str, share: float = 0.85) -> str:
        if not self.chance(share):
            return name
        weights, choices = zip(*(ACTIVATIONS[:USUAL] if self.usual else ACTIVATIONS), strict=True)
        chosen = self.random.choices(choices, weights)[0]
        if chosen["how"] == "HardSwish" and self.opset < 14:
            chosen = {"how": "Relu"}
        return self.add("act", name, **chosen)

    def conv(self, name: str, out: int, window: dict[str, Any] | None = None, depthwise: bool = False) -> str:
        """A convolution without activation; ``depthwise`` ignores ``out``."""
        norm = self.chance(self.norm)
        window = window or {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0)}
        kind = {"depthwise": True} if depthwise else {"out": out}
        return self.add("conv", name, **kind, **window, norm=norm, bias=self.chance(self.bias) and not norm)

    def window(self, name: str, same: bool = False, kernels: tuple[tuple[int, int], ...] = KERNELS) -> dict[str, Any]:
        """A window for the image ``name``; ``same`` keeps its size."""
        random, extents = self.random, self.known[name][2:]
        kernel = random.choice(kernels)
        stride = random.choice(((1, 1),) * 5 + ((2, 2),) * 4 + ((3, 3), (1, 2), (2, 1)))
        dilation = random.choice(((1, 1),) * 8 + ((2, 2), (2, 2), (1, 2), (3, 3)))
        if same:
            stride = (1, 1)
        elif dilation != (1, 1):
            stride = random.choice((stride, (1, 1)))
        style = random.choice(("half",) * 5 + ("late", "late", "any", "none"))
        pads = [self._pads(style, same, *axis) for axis in zip(extents, kernel, stride, dilation, strict=True)]
        pads = [before for before, _ in pads] + [after for _, after in pads]
        return {"kernel": kernel, "stride": stride, "dilation": dilation, "pads": tuple(pads)}

    def _pads(self, style: str, same: bool, extent: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
        reach = (kernel - 1) * dilation
        if style == "late" or (same and style == "none"):
            total = max(0, (-(-extent // stride) - 1) * stride + reach + 1 - extent)
            return total // 2, total - total // 2
        if style == "any":
            before = self.random.randint(0, reach)
            return before, reach - before if same else self.random.randint(0, reach)
        if style == "none" and extent > reach:
            return 0, 0
        return reach // 2, reach - reach // 2 if same or kernel % 2 else reach // 2

    def net(self, seed: int) -> Net:
        """What was drawn, without what no output needs."""
        outputs = tuple(dict.fromkeys(self.outputs))
        return Net(tuple(self.inputs), tuple(self.ops), outputs, seed, self.opset).pruned()
