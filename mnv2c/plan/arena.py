"""Offsets for buffers in one arena: buffers that are never alive together may share memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64
"""A cache line, and the widest vector; every buffer starts at a multiple of it."""


@dataclass(frozen=True)
class Buffer:
    """``bytes`` that must be kept from step ``first`` to step ``last``, both included."""

    name: str
    bytes: int
    first: int
    last: int

    def meets(self, other: Buffer) -> bool:
        """Whether both are alive in some step."""
        return self.first <= other.last and other.first <= self.last


def aligned(size: int) -> int:
    """Round ``size`` up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(buffers: Sequence[Buffer]) -> tuple[dict[str, int], int]:
    """Return every buffer's offset and the size of the arena, in bytes.

    Largest first, each at the lowest offset where it fits between the placed buffers it meets (Pisarchyk and Lee,
    "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5).
    """
    offsets: dict[str, int] = {}
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda entry: (-entry.bytes, entry.first, entry.name)):
        offset = 0
        for other in sorted((entry for entry in placed if entry.meets(buffer)), key=lambda entry: offsets[entry.name]):
            if offset + aligned(buffer.bytes) <= offsets[other.name]:
                break
            offset = max(offset, offsets[other.name] + aligned(other.bytes))
        offsets[buffer.name] = offset
        placed.append(buffer)
    return offsets, max((offsets[entry.name] + aligned(entry.bytes) for entry in placed), default=0)
