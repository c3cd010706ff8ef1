"""Names and bounds in words, as pages and pictures show them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def joined(names: Sequence[str]) -> str:
    """Names with commas; of those that differ only in their number the rest once: ``bottleneck_08, 09, head``."""
    words = [names[0]]
    for before, name in pairwise(names):
        stem = name.rstrip("0123456789")
        words.append(name.removeprefix(stem) if stem != name and before.rstrip("0123456789") == stem else name)
    return ", ".join(words)


def bound_title(bound: dict[str, Any]) -> str:
    """What a bound is, in words."""
    numbers = " and ".join(f"({number})" for number in bound["equations"])
    plural = "s" if len(bound["equations"]) > 1 else ""
    return f"equation{plural} {numbers} of the paper, {bound['graph']}"
