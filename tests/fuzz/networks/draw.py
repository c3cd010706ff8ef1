"""Draws networks: each is determined by a seed, its number, and the version of what is drawn."""

from __future__ import annotations

from random import Random

from tests.fuzz.networks.blocks import BLOCKS, STYLES
from tests.fuzz.networks.graph import InvalidError, Net
from tests.fuzz.networks.heads import HEADS
from tests.fuzz.networks.sketch import CHANNELS, FEW, SIZES, Sketch

VERSION = 2
"""Goes up whenever the same seed draws another network."""

BUDGET = 20
"""Operators of a network, about."""

LINES = ("separable", "one", "stages", "windows", "residual", "expansions")
LARGE = (16, 24, 28, 32, 40, 48)
"""Styles whose blocks are joined into long chains, and rows with which those run row by row rather than whole."""


def draw(seed: int, index: int) -> Net:
    """Network ``index`` of ``seed``; it can always be written."""
    random = Random(f"network {VERSION}/{seed}/{index}")
    while True:
        to = Sketch(random)
        style = random.choice([*sorted(STYLES), "separable", "one", "stages"])
        try:
            _draw(to, style)
            return to.net(random.randrange(1 << 30))
        except InvalidError:
            continue


def _draw(to: Sketch, style: str) -> None:
    random = to.random
    value = _input(to, large=style in LINES and to.chance(0.7))
    if to.chance(0.6):
        value = to.act(to.conv(value, random.choice(FEW), to.window(value, to.chance(0.3), ((3, 3),))))
    blocks = list(STYLES[style])
    weights = [STYLES[style][name] for name in blocks]
    budget = random.randint(2, BUDGET)
    for _ in range(12):
        if len(to.ops) >= budget:
            break
        name = random.choices(blocks, weights)[0] if to.chance(0.9) else random.choice(sorted(BLOCKS))
        value = to.attempt(BLOCKS[name], value)
    for name in random.sample(sorted(HEADS), 2 if to.chance(0.15) else 1):
        HEADS[name](to, value)
    _side_outputs(to)
    if not to.outputs or not to.ops:
        raise InvalidError("nothing is computed")


def _input(to: Sketch, large: bool) -> str:
    random = to.random
    height = random.choice(LARGE if large else SIZES)
    width = height if to.chance(0.5) else random.choice(SIZES)
    channels = 3 if to.chance(0.5) else random.choice(FEW if large else CHANNELS)
    name = to.input((1, channels, height, width), last=to.chance(0.5))
    if to.chance(0.08):
        other = to.input((1, channels, height, width), last=to.chance(0.5))
        return to.add("add", name, to.conv(other, channels))
    return name


def _side_outputs(to: Sketch) -> None:
    """Values from anywhere that the caller wants, too."""
    if not to.chance(0.3):
        return
    images = [op.name for op in to.ops if len(to.known[op.name]) == 4]
    to.outputs += to.random.sample(images, min(len(images), to.random.choice((1, 1, 2))))
