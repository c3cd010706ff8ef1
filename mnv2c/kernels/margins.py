"""Zeros around the images in memory: what windows read beyond an edge."""

from __future__ import annotations

from mnv2c.kernels.ir import Index, KernelBuilder
from mnv2c.kernels.microkernels.base import Provider, zero
from mnv2c.kernels.planes import Plane


def store_zeros(
    k: KernelBuilder, provider: Provider, plane: Plane, start: Index, elements: int, lanes: int | None = None
) -> None:
    """Store zeros to ``elements`` of a plane from ``start``, ``lanes`` at a time (default: a vector)."""
    lanes, done = lanes or provider.lanes, 0
    for width in (lanes,) * (elements // lanes) + provider.widths(elements % lanes):
        k.store(plane.buffer, start + done, zero(provider, width), width)
        done += width


def clear_margins(
    k: KernelBuilder, provider: Provider, plane: Plane, rows: range, blocks: tuple[Index, Index] | None = None
) -> None:
    """Zero the padding columns, once, and all slots that are not in ``rows``.

    ``blocks`` are the first of the plane's blocks of channels and how many, if not all.
    """
    layout = plane.layout
    own_rows = [slot for slot in range(layout.slots) if slot not in rows]
    if not own_rows and not layout.left and not layout.right:
        return
    lanes = min(layout.block, provider.lanes)
    row = layout.width * layout.block
    first, count = blocks or (0, layout.blocks)
    with k.loop(count, "block") as index:
        block = index + first
        for slot in own_rows:
            with k.loop(layout.width, "pixel") as pixel:
                at = block * layout.block_stride + slot * row + pixel * layout.block
                store_zeros(k, provider, plane, at, layout.block, lanes)
        with k.loop(layout.slots, "slot") as slot:
            for column in (*range(layout.left), *range(layout.left + layout.columns, layout.width)):
                at = block * layout.block_stride + slot * row + column * layout.block
                store_zeros(k, provider, plane, at, layout.block, lanes)
