"""The blocks that networks are drawn from: those of the mobile families, of ResNet, and what stands between them.

Each takes a sketch and the value it reads, and returns the value it makes; InvalidError where it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.networks.sketch import CHANNELS, FEW, Sketch

Block = Callable[[Sketch, str], str]

MOST_EXPANDED = 100
STRAIGHT = ((3, 3), (3, 3), (5, 5))


def residual(to: Sketch, value: str, share: float = 0.6) -> str:
    """Add to ``value`` one or two others of its shape, wherever they come from."""
    for _ in range(2):
        others = to.alike(value)
        if not others or not to.chance(share):
            break
        other = to.random.choice(others[-4:] if to.chance(0.5) else others)
        pair = [value, other]
        to.random.shuffle(pair)
        value = to.add("add", *pair)
        value = to.act(value, 0.2)
        share = 0.2
    return value


def expanded(to: Sketch, source: str) -> int:
    """Channels of an expansion of ``source``; those of it where it is not expanded."""
    factor = to.random.choice((2, 3, 4, 6, 6, 8))
    return min(MOST_EXPANDED, to.channels(source) * factor)


def inverted(to: Sketch, source: str) -> str:
    """Expand (unless t = 1), depthwise, project; often with a shortcut from anywhere."""
    same = to.chance(0.6)
    value = source
    if to.chance(0.75):
        value = to.act(to.conv(source, expanded(to, source)))
    value = to.act(to.conv(value, 0, to.window(value, same), depthwise=True))
    if to.chance(0.1):
        value = gate(to, value)
    value = to.conv(value, to.channels(source) if same else to.random.choice(FEW))
    if to.chance(0.15):
        value = to.act(value)
    return residual(to, value, 0.8 if same else 0.3)


def separable(to: Sketch, source: str) -> str:
    """Depthwise and 1x1, one to four times: MobileNetV1, and blocks without expansion."""
    value, plain = source, to.chance(0.6)
    for _ in range(to.random.choice((1, 2, 3, 4))):
        stride = to.random.choice(((1, 1), (1, 1), (2, 2)))
        window = _half(to, stride) if plain else to.window(value, to.chance(0.6))
        value = to.act(to.conv(value, 0, window, depthwise=True))
        value = to.act(to.conv(value, to.channels(value) if to.chance(0.4) else to.random.choice(FEW)))
        value = residual(to, value, 0.1)
    return value


def universal(to: Sketch, source: str) -> str:
    """MobileNetV4's: depthwise before the expansion, and perhaps after it."""
    same = to.chance(0.6)
    value = to.conv(source, 0, to.window(source, True), depthwise=True)
    value = to.act(value, 0.3)
    value = to.act(to.conv(value, expanded(to, source)))
    if to.chance(0.5):
        value = to.act(to.conv(value, 0, to.window(value, same), depthwise=True))
    value = to.conv(value, to.channels(source) if to.chance(0.6) else to.random.choice(FEW))
    return residual(to, value, 0.7)


def reparametrised(to: Sketch, source: str) -> str:
    """MobileOne's: depthwise and 1x1, each the sum of two or three."""
    branches = [to.conv(source, 0, to.window(source, True, ((3, 3), (1, 1))), depthwise=True) for _ in range(2)]
    value = to.act(to.add("add", *branches))
    out = to.random.choice(FEW)
    return to.act(to.add("add", to.conv(value, out), to.conv(value, out)))


def dense(to: Sketch, source: str) -> str:
    """A full convolution with a window."""
    value = to.conv(source, to.random.choice(FEW), to.window(source, to.chance(0.4)))
    return residual(to, to.act(value), 0.3)


def pointwise(to: Sketch, source: str) -> str:
    """1x1, once or twice."""
    value = to.act(to.conv(source, to.random.choice(CHANNELS)))
    if to.chance(0.3):
        value = to.act(to.conv(value, to.random.choice(FEW)))
    return residual(to, value, 0.3)


def bottleneck(to: Sketch, source: str) -> str:
    """ResNet's: 1x1, a window, 1x1, and a shortcut that is a convolution where shapes change."""
    out, window = to.random.choice(FEW), to.window(source, to.chance(0.6), STRAIGHT)
    inner = max(1, out // to.random.choice((1, 2, 4)))
    first = to.chance(0.5)
    plain = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0)}
    strided = {**plain, "stride": window["stride"]}
    value = to.act(to.conv(source, inner, strided if first else plain))
    middle = {**window, "stride": (1, 1)} if first else window
    value = to.act(to.conv(value, inner, middle))
    value = to.conv(value, out)
    shortcut = source
    if to.known[source] != to.known[value]:
        shortcut = to.conv(source, out, strided)
    pair = [value, shortcut]
    to.random.shuffle(pair)
    return to.act(to.add("add", *pair))


def windows(to: Sketch, source: str) -> str:
    """A window behind a window: nothing between the two looks at single pixels, or the first has no margin."""
    first = _half(to, to.random.choice(((1, 1), (1, 1), (2, 2))))
    second = _half(to, to.random.choice(((1, 1), (1, 1), (2, 2))))
    if to.chance(0.35):
        inside = first | {"kernel": to.random.choice(((1, 1), (2, 2), (3, 3))), "pads": (0, 0, 0, 0)}
        value = to.conv(to.act(to.conv(source, 0, inside, depthwise=True)), to.random.choice(FEW))
        return to.act(to.conv(value, 0, second, depthwise=True))
    value = to.act(to.conv(source, expanded(to, source)))
    value = to.act(to.conv(value, 0, first, depthwise=True))
    if to.chance(0.5):
        return to.act(to.conv(value, to.random.choice(FEW), second))
    value = to.act(to.conv(value, 0, second, depthwise=True))
    return to.conv(value, to.random.choice(FEW)) if to.chance(0.7) else value


def stage(to: Sketch, source: str) -> str:
    """As whole networks repeat it: one or two blocks with shortcuts, and a strided one that reads the last sum."""
    inside = to.random.choice((_inverted, _lean, _bottleneck))
    value = source
    for _ in range(to.random.choice((1, 1, 2))):
        inner = inside(to, value, to.channels(value), (1, 1))
        value = to.add("add", *to.random.sample([inner, value], 2))
        value = to.act(value, 0.8 if inside is _bottleneck else 0.1)
    out = to.random.choice(FEW)
    strided = to.random.choice((inside, inside, _lean, _dense))(to, value, out, (2, 2))
    if inside is _bottleneck and to.chance(0.7):
        shortcut = to.conv(value, out, {"kernel": (1, 1), "stride": (2, 2), "pads": (0, 0, 0, 0)})
        strided = to.act(to.add("add", *to.random.sample([strided, shortcut], 2)))
    return strided


def _inverted(to: Sketch, source: str, out: int, stride: tuple[int, int]) -> str:
    value = to.act(to.conv(source, expanded(to, source)))
    return to.conv(to.act(to.conv(value, 0, _half(to, stride), depthwise=True)), out)


def _lean(to: Sketch, source: str, out: int, stride: tuple[int, int]) -> str:
    return to.conv(to.act(to.conv(source, 0, _half(to, stride), depthwise=True)), out)


def _bottleneck(to: Sketch, source: str, out: int, stride: tuple[int, int]) -> str:
    inner = max(1, out // to.random.choice((1, 2, 4)))
    value = to.act(to.conv(source, inner))
    return to.conv(to.act(to.conv(value, inner, _half(to, stride))), out)


def _dense(to: Sketch, source: str, out: int, stride: tuple[int, int]) -> str:
    return to.conv(source, out, _half(to, stride))


def _half(to: Sketch, stride: tuple[int, int]) -> dict[str, Any]:
    size = to.random.choice((3, 3, 3, 5))
    return {"kernel": (size, size), "stride": stride, "dilation": (1, 1), "pads": (size // 2,) * 4}


def between_expansions(to: Sketch, source: str) -> str:
    """Shortcuts between expanded tensors (the paper's Figure 6b), over two to four bottlenecks."""
    wide, narrow = expanded(to, source), to.channels(source)
    act = to.chance(0.7)
    value = to.act(to.conv(source, wide), act)
    for _ in range(to.random.randint(1, 3)):
        inner = to.act(to.conv(value, 0, to.window(value, True, STRAIGHT), depthwise=True))
        inner = to.conv(to.conv(inner, narrow), wide)
        inner = to.act(inner, 0.3)
        value = to.add("add", inner, value)
        value = to.act(value, 0.5)
    return to.conv(value, narrow) if to.chance(0.6) else value


def gate(to: Sketch, source: str) -> str:
    """Squeeze and excite."""
    value = to.add("mean", source, how=to.random.choice(("global", "reduce", "most")))
    value = to.act(to.conv(value, max(1, to.channels(source) // 4)))
    value = to.conv(value, to.channels(source))
    return to.add("gate", source, to.add("act", value, how="Sigmoid"))


def branches(to: Sketch, source: str) -> str:
    """Two or three branches of one size, concatenated before a 1x1 convolution, or not."""
    found = [source] if to.chance(0.3) else []
    for _ in range(to.random.randint(2, 3) - len(found)):
        value = to.act(to.conv(source, to.random.choice(FEW)))
        if to.chance(0.6):
            value = to.act(to.conv(value, 0, to.window(value, True), depthwise=True))
        found.append(value)
    if to.chance(0.2):
        found.append(context(to, source))
    value = to.add("concat", *found, axis=1)
    return to.act(to.conv(value, to.random.choice(FEW))) if to.chance(0.8) else value


def context(to: Sketch, source: str) -> str:
    """DeepLab's branch of the image's mean, resized to the image."""
    value = to.act(to.conv(to.add("mean", source), to.random.choice(FEW)))
    extents = to.known[source][2:]
    mode = to.random.choice(("linear", "nearest"))
    args: dict[str, Any] = {"mode": mode, "coordinates": "half_pixel" if mode == "linear" else "asymmetric"}
    return to.add("resize", value, sizes=extents, nearest="floor", **args)


def summed(to: Sketch, source: str) -> str:
    """Two branches that are added."""
    out = to.random.choice(FEW)
    found = []
    for _ in range(2):
        value = to.conv(source, out)
        if to.chance(0.5):
            value = to.act(to.conv(to.act(value), 0, to.window(value, True), depthwise=True))
        found.append(value)
    return to.act(to.add("add", *found))


def pool(to: Sketch, source: str) -> str:
    """The mean or the maximum of windows."""
    window = to.window(source, to.chance(0.3), ((2, 2), (3, 3)))
    del window["dilation"]
    return to.add("pool", source, most=to.chance(0.5), **window)


def elementwise(to: Sketch, source: str) -> str:
    """A factor or a summand that is the same everywhere."""
    operator = to.random.choice(("Mul", "Add", "Sub", "Div"))
    return to.add("scale", source, operator=operator, by=to.random.choice((0.5, 2.0, -1.5)))


def resize(to: Sketch, source: str) -> str:
    """Of any mode, by scales or to sizes, sometimes of a tensor whose channels come last."""
    random, extents = to.random, to.known[source][2:]
    args = _any_mode(to)
    whole = ((2.0, 2.0), (2.0, 2.0), (2.0, 1.0), (3.0, 4.0))
    if to.chance(0.3):
        args["sizes"] = tuple(extent * random.choice((2, 3, 4)) for extent in extents)
    elif to.chance(0.3):
        args["scales"] = random.choice(whole)
    elif to.chance(0.5):
        args["sizes"] = tuple(random.randint(1, min(40, 3 * extent)) for extent in extents)
    else:
        args["scales"] = random.choice(((0.5, 0.5), (1.5, 1.5), (1.3, 2.6), (0.7, 0.7), (2.5, 0.6)))
    value = to.add("resize", source, **args)
    value = residual(to, value, 0.6)
    return to.act(to.conv(value, to.random.choice(FEW))) if to.chance(0.4) else value


def _any_mode(to: Sketch) -> dict[str, Any]:
    ways = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    if to.opset >= 19:
        ways.append("half_pixel_symmetric")
    mode = to.random.choice(("linear", "linear", "nearest", "nearest", "nearest", "cubic"))
    return {
        "mode": mode,
        "coordinates": to.random.choice(ways),
        "nearest": to.random.choice(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")),
        "last": to.chance(0.2) and mode != "cubic",  # onnxruntime has none of these
    }


BLOCKS: dict[str, Block] = {
    "inverted": inverted,
    "separable": separable,
    "universal": universal,
    "reparametrised": reparametrised,
    "dense": dense,
    "pointwise": pointwise,
    "bottleneck": bottleneck,
    "stage": stage,
    "windows": windows,
    "between_expansions": between_expansions,
    "gate": gate,
    "branches": branches,
    "summed": summed,
    "pool": pool,
    "elementwise": elementwise,
    "resize": resize,
}

STYLES: dict[str, dict[str, int]] = {
    "mobile": {"inverted": 8, "separable": 1, "dense": 1, "between_expansions": 1},
    "separable": {"separable": 8, "pointwise": 1, "dense": 1},
    "universal": {"universal": 6, "inverted": 2, "pointwise": 1},
    "one": {"reparametrised": 3, "separable": 4, "universal": 2},
    "residual": {"bottleneck": 5, "stage": 3, "dense": 1, "pool": 1},
    "stages": {"stage": 8, "inverted": 1, "separable": 1},
    "windows": {"windows": 6, "inverted": 2, "separable": 1},
    "expansions": {"between_expansions": 6, "inverted": 2, "stage": 2},
    "segmenter": {"inverted": 4, "resize": 8, "branches": 2, "summed": 1},
    "mixed": dict.fromkeys(BLOCKS, 1) | {"resize": 4},
}
"""What networks of a kind are made of, with weights."""
