"""What a compiled network must compute right, as data, and a small subset that meets most pairs of choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations, product
from typing import Any

from mnv2c.spec import ModelSpec

CHOICES: dict[str, tuple[Any, ...]] = {
    "target": ("host", "x86-64-v3", "x86-64-v4", "cortex-a53", "cortex-a76"),
    "width": (0.35, 1.0, 1.4),
    "size": ((96, 96), (224, 224), (97, 131)),
    "padding": ("symmetric", "tf_same"),
    "output_stride": (32, 16, 8),
    "bottleneck_activation": ("linear", "relu6"),
    "shortcut": ("bottleneck", "expansion", "none"),
}

SUBSET = 12
"""Cases that run by default."""
LARGEST = 160
"""Bound on a case of the subset, in ``effort``: what is larger runs with the full product only."""
EMULATION = 10
"""How many times slower code runs under qemu."""

Pair = tuple[tuple[str, Any], tuple[str, Any]]


@dataclass(frozen=True)
class Case:
    """One network for one target; ``size`` is (height, width) in pixels."""

    target: str
    width: float
    size: tuple[int, int]
    padding: str
    output_stride: int
    bottleneck_activation: str
    shortcut: str

    def __str__(self) -> str:
        size = "x".join(map(str, self.size))
        parts = (self.width, size, self.padding, f"os{self.output_stride}", self.bottleneck_activation, self.shortcut)
        return f"{self.target}-" + "-".join(map(str, parts))

    @property
    def emulated(self) -> bool:
        """Whether it runs under qemu on x86-64."""
        return self.target.startswith("cortex")

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(
            width=self.width,
            height=self.size[0],
            image_width=self.size[1],
            padding=self.padding,
            output_stride=self.output_stride,
            bottleneck_activation=self.bottleneck_activation,
            shortcut=self.shortcut,
            classes=100,
        )

    @property
    def effort(self) -> float:
        """Roughly proportional to the time of one inference."""
        pixels = self.size[0] * self.size[1] / 96 / 96
        return self.width**2 * pixels * (32 / self.output_stride) ** 1.5 * (EMULATION if self.emulated else 1)

    def pairs(self) -> Iterator[Pair]:
        """Every two choices made together."""
        yield from combinations(((field.name, getattr(self, field.name)) for field in fields(self)), 2)


def everything() -> list[Case]:
    """The full product."""
    return [Case(*values) for values in product(*CHOICES.values())]


def pairwise(count: int = SUBSET) -> list[Case]:
    """Pick ``count`` cases greedily: each time the one with most pairs not met yet, and of those the cheapest."""
    left = sorted((case for case in everything() if case.effort <= LARGEST), key=lambda case: (case.effort, str(case)))
    met: set[Pair] = set()
    chosen: list[Case] = []
    for _ in range(count):
        best = max(left, key=lambda case: sum(pair not in met for pair in case.pairs()))
        chosen.append(best)
        left.remove(best)
        met |= set(best.pairs())
    return chosen


def coverage(cases: list[Case]) -> dict[tuple[str, str], tuple[int, int]]:
    """For every two dimensions, the number of pairs met and of all pairs."""
    met = {pair for case in cases for pair in case.pairs()}
    return {
        (first, second): (
            sum((a[0], b[0]) == (first, second) for a, b in met),
            len(CHOICES[first]) * len(CHOICES[second]),
        )
        for first, second in combinations(CHOICES, 2)
    }
