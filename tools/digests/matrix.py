"""THE matrix: what is compiled, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tools.digests.foreign import GRAPHS


@dataclass(frozen=True)
class Model:
    """A network of the zoo with its options, a description to write, or a graph of `GRAPHS`."""

    name: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    description: str = ""


@dataclass(frozen=True)
class Case:
    """One compile. ``limit`` is where between the smallest plan's arena (0) and the fastest's (1) the limit lies."""

    model: str
    target: str
    threads: int = 1
    limit: float | None = None
    schedules: bool = True

    @property
    def name(self) -> str:
        """The words that tell it from all others."""
        words = [self.model, self.target]
        words += ["two threads"] if self.threads == 2 else []
        words += ["limit"] if self.limit is not None else []
        return ", ".join([*words, *([] if self.schedules else ["no schedules"])])


MODELS = {
    "classifier 0.35/96": Model("mobilenet_v2", {"width": 0.35, "resolution": 96}),
    "classifier 1.0/224": Model("mobilenet_v2"),
    "classifier 1.4/160": Model("mobilenet_v2", {"width": 1.4, "resolution": 160}),
    "detector 320": Model("ssdlite_mobilenet_v2"),
    "segmenter 257 OS 16": Model("deeplabv3_mobilenet_v2", {"resolution": 257}),
    "segmenter 257 OS 8": Model("", description='family = "segmenter"\nresolution = 257\noutput_stride = 8\n'),
    **{f"foreign {name}": Model(name) for name in GRAPHS},
}

TARGETS = ("x86-64-v3", "x86-64-v4", "znver4", "cortex-a53", "cortex-a55", "cortex-a76", "cortex-a7")

VARIATIONS: tuple[Mapping[str, Any], ...] = ({}, {"threads": 2}, {"limit": 0.4}, {"schedules": False})
"""Every model is compiled for every target in each of these ways."""

ALL = tuple(Case(model, target, **how) for model in MODELS for target in TARGETS for how in VARIATIONS)

QUICK = (
    Case("classifier 0.35/96", "znver4"),
    Case("classifier 0.35/96", "cortex-a7"),
    Case("classifier 1.0/224", "cortex-a55", threads=2),
    Case("classifier 0.35/96", "x86-64-v3", limit=0.4),
    Case("classifier 1.4/160", "cortex-a76"),
    Case("classifier 1.4/160", "znver4"),
    Case("detector 320", "x86-64-v4", threads=2),
    Case("detector 320", "cortex-a53"),
    Case("segmenter 257 OS 16", "znver4", schedules=False),
    Case("segmenter 257 OS 8", "cortex-a76", limit=0.4),
    Case("foreign separable", "x86-64-v3", threads=2),
    Case("foreign residual", "cortex-a76"),
)
"""Twelve of them, which together have every family, target and variation: for every commit."""
