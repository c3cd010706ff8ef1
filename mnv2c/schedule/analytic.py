"""The analytic default schedule, used where no tuned record exists: from registers and caches, no measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from mnv2c.plan.chain import GATHERED, MATRIX_KINDS, Chain, Shape, Stage, StageKind
from mnv2c.schedule.record import ChainSchedule, Tile

FMA_LATENCY = 4
"""Cycles before an accumulator can be added to again (Zen 3-5, Cortex-A76: 4): a lower bound per step of K."""
PORTS = 2
"""FMAs, and vector loads, per cycle that the tile model assumes; only their ratio matters."""
LOAD_SHARE = 0.1
"""Cycles a load costs although its port is free: it still takes a slot of decode and retirement."""
EPILOGUE = 3.5
"""Instructions per output vector beside the products: start, clamp, store (counted on AArch64)."""
WHOLE_PIXELS = 64
"""Images up to this size are computed in one step: a row of 7 pixels fills no register tile."""
SHORT_ROW = 28
"""Rows shorter than this are computed several at a time, so that each read of the weights serves more pixels."""


class VectorUnit(Protocol):
    """What the rule asks of a microkernel provider."""

    @property
    def lanes(self) -> int: ...  # noqa: D102
    @property
    def unroll(self) -> int: ...  # noqa: D102
    @property
    def ring_unroll(self) -> int: ...  # noqa: D102
    @property
    def depthwise_pixels(self) -> int: ...  # noqa: D102
    @property
    def depthwise_group(self) -> int: ...  # noqa: D102
    @property
    def strided_group(self) -> int: ...  # noqa: D102
    @property
    def gathers(self) -> bool: ...  # noqa: D102
    def fits(self, pixels: int, vectors: int) -> bool: ...  # noqa: D102
    def loads(self, pixels: int, vectors: int) -> float: ...  # noqa: D102


def analytic_schedule(chain: Chain, unit: VectorUnit, l2_bytes: int, element_bytes: int = 4) -> ChainSchedule:
    """Choose a schedule for ``chain`` on a CPU with ``unit`` and a second-level cache of ``l2_bytes``."""
    rows = _rows(chain)
    tiles = [tile for stage in _matrix_stages(chain) for tile in [_best_tile(chain, stage, rows, unit)]]
    chunk = 0
    if _may_chunk(chain) and _weights(chain) * element_bytes > l2_bytes // 2:
        chunk, tiles[0] = _chunk(chain, unit, l2_bytes // 4 // element_bytes)
        rows = 0 if chunk else rows
    return ChainSchedule(
        rows=rows,
        chunk=chunk,
        tiles=tuple(tiles),
        depthwise_pixels=unit.depthwise_pixels,
        depthwise_group=unit.strided_group if _is_strided(chain) else unit.depthwise_group,
        prefetch=rows == 0,
    )


def _is_strided(chain: Chain) -> bool:
    """Whether a depthwise stage skips columns, so that neighbouring outputs share fewer of the pixels they read."""
    return any(stage.kind is StageKind.DEPTHWISE and stage.window.stride[1] > 1 for stage in chain.stages)


def _matrix_stages(chain: Chain) -> list[Stage]:
    return [stage for stage in chain.stages if stage.kind in MATRIX_KINDS]


def _rows(chain: Chain) -> int:
    """Rows per step: all of a small or pooled image, else enough for ``SHORT_ROW`` pixels if they divide the image."""
    last = chain.stages[-1]
    image = max((stage.shape for stage in chain.stages), key=lambda shape: shape.pixels)
    if last.kind is StageKind.POOL or image.pixels <= WHOLE_PIXELS:
        return 0
    wanted = -(-SHORT_ROW // last.shape.columns)
    return next(rows for rows in range(min(wanted, last.shape.rows), 0, -1) if last.shape.rows % rows == 0)


def _weights(chain: Chain) -> int:
    """Elements of the chain's filters."""
    total = 0
    for stage in chain.stages:
        channels = chain.shape(stage.sources[0]).channels
        if stage.kind in MATRIX_KINDS:
            total += stage.window.taps * channels * stage.shape.channels
        elif stage.kind is StageKind.DEPTHWISE:
            total += stage.window.taps * channels
    return total


def _may_chunk(chain: Chain) -> bool:
    """Whether the chain is expand, depthwise, project: only then can the expanded channels be cut."""
    kinds = [stage.kind for stage in chain.stages if stage.kind is not StageKind.ADD]
    return kinds == [StageKind.EXPAND, StageKind.DEPTHWISE, StageKind.PROJECT] and len(chain.outputs) == 1


def _chunk(chain: Chain, unit: VectorUnit, budget: int) -> tuple[int, Tile]:
    """Return the largest chunk whose expanded and depthwise rows fit ``budget`` elements, and a tile that divides it.

    (0, tile) when no chunk of whole tiles divides the channels.
    """
    expand, depthwise = chain.stage("expand"), chain.stage("depthwise")
    padded = -(-expand.shape.channels // unit.lanes) * unit.lanes
    (top, bottom), (left, right) = depthwise.window.padding
    ring = (expand.shape.rows + top + bottom) * (expand.shape.columns + left + right) + depthwise.shape.pixels
    for chunk in range(padded // unit.lanes * unit.lanes, 0, -unit.lanes):
        if padded % chunk or (chunk * ring > budget and chunk > 4 * unit.lanes):
            continue
        pixels = expand.shape.pixels if expand.shape.pixels <= WHOLE_PIXELS else expand.shape.columns
        whole = [tile for tile in _tiles(unit) if chunk % (tile.vectors * unit.lanes) == 0]
        return chunk, min(whole, key=lambda tile: _cycles(tile, pixels, chunk, unit, chain.inputs[0].channels))
    return 0, _best_tile(chain, expand, 0, unit)


def _best_tile(chain: Chain, stage: Stage, rows: int, unit: VectorUnit) -> Tile:
    depth = stage.window.taps * chain.shape(stage.sources[0]).channels
    pixels = _span(chain, stage, rows)
    best = min(_tiles(unit), key=lambda tile: _cycles(tile, pixels, stage.shape.channels, unit, depth))
    in_ring = not stage.sources[0].startswith("input_") or (unit.gathers and stage.kind in GATHERED)
    return replace(best, unroll=_unroll(depth, unit.ring_unroll if in_ring else unit.unroll))


def _unroll(depth: int, most: int) -> int:
    """Values of K per iteration: at most ``most``, dividing K, and leaving a loop.

    A straight line of products invites the compiler to hoist loads until accumulators spill.
    """
    divisors = [size for size in range(4, most + 1, 4) if depth % size == 0 and depth > size]
    return max(divisors, default=most)


def _span(chain: Chain, stage: Stage, rows: int) -> int:
    """Neighbouring pixels that one tile may cover: several rows for the last stage or a small image, else one row."""
    shape: Shape = stage.shape
    if rows == 0:
        return shape.pixels
    is_last = stage == _matrix_stages(chain)[-1] and stage.window.is_pixel
    return shape.columns * rows if is_last else shape.columns


def _tiles(unit: VectorUnit) -> Iterator[Tile]:
    for pixels in range(1, 32):
        for vectors in range(1, 16):
            if unit.fits(pixels, vectors):
                yield Tile(pixels, vectors, unit.unroll)


def _cycles(tile: Tile, pixels: int, channels: int, unit: VectorUnit, depth: int) -> tuple[float, int]:
    """Predicted cycles of a span: the sum over its register tiles; on a tie the tile with fewer vectors wins."""
    total = 0.0
    vectors = -(-channels // unit.lanes)
    pieces = -(-pixels // tile.pixels)
    larger = pixels % pieces
    for size, count in ((pixels // pieces + 1, larger), (pixels // pieces, pieces - larger)):
        full, rest = divmod(vectors, tile.vectors)
        for wide, times in ((tile.vectors, full), (rest, 1 if rest else 0)):
            loads = unit.loads(size, wide)
            step = max(size * wide / PORTS, loads / PORTS, FMA_LATENCY) + loads * LOAD_SHARE
            total += count * times * (depth * step + size * wide * EPILOGUE / PORTS)
    return total, tile.vectors
