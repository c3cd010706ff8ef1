"""Cuts an extent into tiles: as few as possible, as equal as possible."""

from __future__ import annotations


def balanced_split(extent: int, size: int) -> list[tuple[int, int, int]]:
    """Cut ``extent`` into the fewest pieces of at most ``size``, as equal as possible.

    Returns (start, piece size, number of such pieces in a row), at most two entries, the larger pieces first.
    """
    pieces = -(-extent // size)
    small, larger = divmod(extent, pieces)
    cuts = [(0, small + 1, larger), (larger * (small + 1), small, pieces - larger)]
    return [cut for cut in cuts if cut[2]]
