"""The next kernel's weights, fetched into the second-level cache while this kernel computes.

A network's weights lie in the order of its kernels, and are read once per inference, mostly from memory. What follows
a kernel's last weights is mostly what the next kernel begins with, so that it takes no argument to find them (weights
that occur twice are stored once: then something else is fetched, for nothing). The lines are spread over the last
products of a kernel, one or a few in every iteration over K: memory hands out about a line in the time of one. Fetching
beyond the last weights of all does nothing: a prefetch of an address without memory is no fault.
"""

from __future__ import annotations

from collections.abc import Mapping

from mnv2c.kernels.ir import INDEX, Buffer, KernelBuilder, constant, limited
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.microkernels.base import LINE_BYTES, Provider, Stream
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.plan.chain import MATRIX_KINDS, Stage, StageKind, clips, stage_madds

SHARE = 2
"""One part in so many of the second-level cache may hold weights of the next kernel: the rest is this one's."""
MOST = 4
"""Most lines fetched in an iteration: more would wait for each other."""


def has_room(layout: KernelLayout, stage: Stage) -> bool:
    """Whether the products of a stage leave room for fetching: those of 1x1 convolutions over more than a pixel."""
    plain = stage.kind in MATRIX_KINDS and stage.kind is not StageKind.DENSE and stage.window.is_pixel
    return plain and not clips(layout.chain, stage)


def fetched_bytes(unit: Provider, l2_bytes: int, threads: int = 1) -> int:
    """Return how many bytes of a kernel's weights the kernel before it may fetch; none where threads share a kernel.

    Each of them has a second-level cache of its own, and only some of the next kernel's weights are for it.
    """
    return l2_bytes // SHARE if unit.prefetches and threads == 1 else 0


class NextWeights:
    """Hands out the lines that follow the last weights of a kernel, the last one in the last place for one."""

    def __init__(self, k: KernelBuilder, layout: KernelLayout, weights: Mapping[str, Buffer], following: int) -> None:
        name, packing = list(layout.packings.items())[-1]
        self._k, self._buffer, self._line = k, weights[name], layout.provider.line
        self._begin = -(-packing.elements // self._line) * self._line
        lines = -(-following // LINE_BYTES)
        self._per = max(1, min(MOST, -(-lines // max(1, _places(layout)))))
        self._wanted, self._found = -(-lines // self._per), 0
        self._counter, self._skip = k.stack(INDEX, 1), k.promised("skip")
        k.store(self._counter, 0, constant(0, INDEX))

    def stream(self, places: int) -> Stream:
        """Return what the next ``places`` iterations fetch."""
        k = self._k
        self._found += places * k.times
        passed = k.bind(k.load(self._counter, 0), "passed")
        k.store(self._counter, 0, passed + places)
        first = limited(passed - self._skip, 0, self._wanted) * (self._per * self._line)
        return Stream(self._buffer, k.bind(first + self._begin, "ahead"), self._per)

    def finish(self) -> None:
        """Say how many places come before the first line, now that all are known."""
        self._k.keep(self._skip, max(0, self._found - self._wanted))


def next_weights_of(
    k: KernelBuilder, layout: KernelLayout, weights: Mapping[str, Buffer], following: int
) -> NextWeights | None:
    """Return how a kernel fetches the ``following`` bytes behind its weights; None where it has no place for that."""
    room = any(has_room(layout, unit.stage) for unit in layout.units)
    return NextWeights(k, layout, weights, following) if following and room and layout.provider.prefetches else None


def _places(layout: KernelLayout) -> int:
    """About how many iterations over K a kernel makes; what it fetches in each follows from that."""
    total = 0
    for unit in layout.units:
        packing = layout.packings.get(unit.stage.name)
        if has_room(layout, unit.stage) and isinstance(packing, MatrixPacking):
            tile = layout.tiles[unit.stage.name]
            products = tile.pixels * tile.vectors * layout.provider.lanes * tile.unroll
            total += stage_madds(layout.chain, unit.stage) // products
    return total
