"""Offsets for buffers in one arena: buffers that are never alive together may share memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

ALIGNMENT = 64
"""A cache line, and the widest vector; every buffer starts at a multiple of it."""


@dataclass(frozen=True)
class Buffer:
    """``bytes`` that must be kept from step ``first`` to step ``last``, both included.

    ``variant`` is the only one of several variants of the steps that needs it; None where all do. One of them runs.
    """

    name: str
    bytes: int
    first: int
    last: int
    variant: int | None = None

    def meets(self, other: Buffer) -> bool:
        """Whether both are alive in some step of some variant."""
        apart = None not in (self.variant, other.variant) and self.variant != other.variant
        return not apart and self.first <= other.last and other.first <= self.last


def aligned(size: int) -> int:
    """Round ``size`` up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(buffers: Sequence[Buffer]) -> tuple[dict[str, int], int]:
    """Return every buffer's offset and the size of the arena, in bytes.

    Each goes to the lowest offset where it fits between the placed buffers it meets (Pisarchyk and Lee, "Efficient
    Memory Management for Deep Neural Net Inference", 2020, section 5): the largest first, or else in another order that
    needs less memory.
    """
    return min((_place(sorted(buffers, key=order)) for order in ORDERS), key=lambda placed: placed[1])


ORDERS: tuple[Callable[[Buffer], Any], ...] = (
    lambda buffer: (-buffer.bytes, buffer.first, buffer.name),
    lambda buffer: (buffer.first - buffer.last, -buffer.bytes, buffer.first, buffer.name),
    lambda buffer: (-buffer.bytes * (buffer.last - buffer.first + 1), buffer.first, buffer.name),
    lambda buffer: (buffer.first, -buffer.bytes, buffer.name),
    lambda buffer: (-buffer.last, -buffer.bytes, buffer.name),
)
"""Orders in which buffers are tried; by size wins most often, by length of life where tensors outlive large scratch."""


FEW_STEPS = 8
"""Steps up to which a buffer's neighbours are looked up by step rather than among all buffers."""


def _place(buffers: Sequence[Buffer]) -> tuple[dict[str, int], int]:
    offsets: dict[str, int] = {}
    placed: list[Buffer] = []
    alive: defaultdict[int, list[Buffer]] = defaultdict(list)
    for buffer in buffers:
        offset, steps = 0, range(buffer.first, buffer.last + 1)
        near = chain.from_iterable(alive[step] for step in steps) if len(steps) <= FEW_STEPS else placed
        met = {entry.name: entry for entry in near if entry.meets(buffer)}
        for other in sorted(met.values(), key=lambda entry: offsets[entry.name]):
            if offset + aligned(buffer.bytes) <= offsets[other.name]:
                break
            offset = max(offset, offsets[other.name] + aligned(other.bytes))
        offsets[buffer.name] = offset
        placed.append(buffer)
        for step in steps:
            alive[step].append(buffer)
    return offsets, max((offsets[entry.name] + aligned(entry.bytes) for entry in placed), default=0)
