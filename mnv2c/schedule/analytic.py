"""The analytic default schedule, used where no tuned record exists: from registers and caches, no measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Protocol

from mnv2c.plan.chain import GATHERED, MATRIX_KINDS, Chain, Shape, Stage, StageKind, clips, products
from mnv2c.plan.clipping import column_ranges
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile

FMA_LATENCY = 4
"""Cycles before an accumulator can be added to again (Zen 3-5, Cortex-A76: 4): a lower bound per step of K."""
PORTS = 2
"""FMAs, and vector loads, per cycle that the tile model assumes; only their ratio matters."""
LOAD_SHARE = 0.1
"""Cycles a load costs although its port is free: it still takes a slot of decode and retirement."""
EPILOGUE = 3.5
"""Instructions per output vector beside the products: start, clamp, store (counted on AArch64)."""
HELD_UP = 2.0
"""Cycles for each sum that waits, to be clamped and stored, where the products of the next tile would be queued."""
UNPAIRED = 1.05
"""How much slower a tile across row ends really is where pixels are loaded in pairs (AArch64: 7x3 for 9x2 at 7x7)."""
WHOLE_PIXELS = 64
"""Images up to this size are computed in one step: a row of 7 pixels fills no register tile."""
SHORT_ROW = 28
"""Rows shorter than this are computed several at a time, so that each read of the weights serves more pixels."""


class VectorUnit(Protocol):
    """What the rule asks of a microkernel provider."""

    @property
    def lanes(self) -> int: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
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
    def together(self) -> int: ...  # noqa: D102
    @property
    def gathers(self) -> bool: ...  # noqa: D102
    @property
    def prefetches(self) -> bool: ...  # noqa: D102
    def __hash__(self) -> int: ...  # noqa: D105
    def fits(self, pixels: int, vectors: int) -> bool: ...  # noqa: D102
    def loads(self, pixels: int, vectors: int) -> float: ...  # noqa: D102


def analytic_schedule(chain: Chain, unit: VectorUnit, l2_bytes: int, rows: int | None = None) -> ChainSchedule:
    """Choose a schedule for ``chain`` on a CPU with ``unit`` and a second-level cache of ``l2_bytes``.

    ``rows`` per step, where given, are not chosen.
    """
    if rows is None and may_chunk(chain) and _weights(chain) * unit.bytes > l2_bytes // 2:
        largest = next(chunked(chain, unit, l2_bytes // 4), None)
        if largest is not None:
            return largest
    per_step = _rows(chain) if rows is None else rows
    return ChainSchedule(
        rows=per_step,
        chunk=0,
        tiles=tuple(_best_tile(chain, stage, per_step, unit) for stage in matrix_stages(chain)),
        depthwise=_depthwise_tiles(chain, unit),
        prefetch=per_step == 0 and unit.prefetches,
    )


def chunked(chain: Chain, unit: VectorUnit, budget: int) -> Iterator[ChainSchedule]:
    """Yield schedules whose channels in flight fit ``budget`` bytes, if whole tiles cut the expanded channels.

    The largest chunk comes first, then smaller ones whose tiles are faster.
    """
    rows = _rows(chain)
    others = [_best_tile(chain, stage, rows, unit) for stage in matrix_stages(chain)[1:]]
    for chunk, tile in _chunks(chain, unit, budget // unit.bytes):
        yield ChainSchedule(0, chunk, (tile, *others), _depthwise_tiles(chain, unit), unit.prefetches)


def _depthwise_tiles(chain: Chain, unit: VectorUnit) -> tuple[DepthwiseTile, ...]:
    return tuple(_depthwise(stage, unit) for stage in chain.stages if stage.kind is StageKind.DEPTHWISE)


def _depthwise(stage: Stage, unit: VectorUnit) -> DepthwiseTile:
    """With a stride neighbouring outputs share fewer of the pixels they read."""
    group = unit.strided_group if stage.window.stride[1] > 1 else unit.depthwise_group
    return DepthwiseTile(unit.depthwise_pixels, group)


def matrix_stages(chain: Chain) -> list[Stage]:
    """Return the stages that a schedule has a register tile for, in order."""
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
        if stage.kind in MATRIX_KINDS:
            total += products(chain, stage) * stage.shape.channels
        elif stage.kind is StageKind.DEPTHWISE:
            total += stage.window.taps * stage.shape.channels
    return total


def may_chunk(chain: Chain) -> bool:
    """Whether the chain is expand, depthwise, project: only then can the expanded channels be cut."""
    kinds = [stage.kind for stage in chain.stages if stage.kind is not StageKind.ADD]
    return kinds == [StageKind.EXPAND, StageKind.DEPTHWISE, StageKind.PROJECT] and len(chain.outputs) == 1


def _chunks(chain: Chain, unit: VectorUnit, budget: int) -> Iterator[tuple[int, Tile]]:
    """Yield chunks whose expanded and depthwise rows fit ``budget`` elements, each with a tile that divides it.

    The largest one comes first, then those whose tiles are faster than those of all larger ones, which pays where a
    tile has few vectors: with by-element products 5x4 instead of 5x3.
    """
    expand, depthwise = chain.stage("expand"), chain.stage("depthwise")
    padded = -(-expand.shape.channels // unit.lanes) * unit.lanes
    (top, bottom), (left, right) = depthwise.window.padding
    ring = (expand.shape.rows + top + bottom) * (expand.shape.columns + left + right) + depthwise.shape.pixels
    pixels, depth = span(chain, expand, 0), products(chain, expand)
    least = inf
    for chunk in range(padded, 0, -unit.lanes):
        if padded % chunk or (chunk * ring > budget and chunk > 4 * unit.lanes):
            continue
        cycles, tile = fastest_tile(unit, pixels, chunk, depth, chunk // unit.lanes)
        if cycles / chunk < least:
            least = cycles / chunk
            yield chunk, replace(tile, unroll=_unroll(depth, unit.ring_unroll if unit.gathers else unit.unroll))
        if least < inf and not unit.gathers:
            return


def _best_tile(chain: Chain, stage: Stage, rows: int, unit: VectorUnit) -> Tile:
    depth = products(chain, stage)
    pixels, columns = span(chain, stage, rows), stage.shape.columns
    if clips(chain, stage):
        return replace(_clipped_tile(chain, stage, unit), unroll=_unroll(depth, unit.unroll))
    cycles, best = fastest_tile(unit, pixels, stage.shape.channels, depth)
    if unit.gathers and columns < pixels <= WHOLE_PIXELS and columns % best.pixels:
        divisors = [size for size in range(1, columns + 1) if columns % size == 0]
        cuts = [fastest_tile(unit, pixels, stage.shape.channels, depth, pixels=size) for size in divisors]
        aligned, by_row = min(cuts, key=lambda found: found[0])
        best = by_row if aligned < cycles * UNPAIRED else best
    in_ring = not stage.sources[0].startswith("input_") or (unit.gathers and stage.kind in GATHERED)
    return replace(best, unroll=_unroll(depth, unit.ring_unroll if in_ring else unit.unroll))


def _clipped_tile(chain: Chain, stage: Stage, unit: VectorUnit) -> Tile:
    """Return the tile that suits the ranges of columns into which a clipped convolution is cut."""
    source, channels = chain.shape(stage.sources[0]), stage.shape.channels
    ranges = column_ranges(stage, source)

    def cycles(tile: Tile) -> tuple[float, int]:
        depths = [(part.count, len(part.taps) * stage.window.kernel[0] * source.channels) for part in ranges]
        return sum(tile_cycles(tile, count, channels, unit, depth)[0] for count, depth in depths), tile.vectors

    return min(tiles(unit), key=cycles)


def _unroll(depth: int, most: int) -> int:
    """Values of K per iteration: at most ``most``, dividing K, and leaving a loop.

    A straight line of products invites the compiler to hoist loads until accumulators spill.
    """
    divisors = [size for size in range(4, most + 1, 4) if depth % size == 0 and depth > size]
    return max(divisors, default=most)


def span(chain: Chain, stage: Stage, rows: int) -> int:
    """Neighbouring pixels that one tile may cover: several rows for the last stage or a small image, else one row.

    Rows of a larger image follow each other where no padding lies between them.
    """
    shape: Shape = stage.shape
    if rows == 0:
        return shape.pixels if shape.pixels <= WHOLE_PIXELS or _is_unpadded(chain, stage) else shape.columns
    is_last = stage == matrix_stages(chain)[-1] and stage.window.is_pixel
    return shape.columns * rows if is_last else shape.columns


def _is_unpadded(chain: Chain, stage: Stage) -> bool:
    """Whether a stage reads its pixels one by one, and no window that hangs over an edge sees what it reads or makes.

    A mean, or a sum, that is made of its result at once takes its place.
    """
    made = {stage.name, *(reader.name for reader in chain.consumers(stage.name) if reader.kind is StageKind.ADD)}
    seen = (reader for name in {stage.sources[0], *made} for reader in chain.consumers(name))
    return stage.window.is_pixel and not any(reader.window.needs_margin for reader in seen)


@lru_cache(maxsize=64)
def tiles(unit: VectorUnit) -> tuple[Tile, ...]:
    """Return every register tile that fits."""
    shapes = ((pixels, vectors) for pixels in range(1, 32) for vectors in range(1, 16))
    return tuple(Tile(pixels, vectors, unit.unroll) for pixels, vectors in shapes if unit.fits(pixels, vectors))


@lru_cache(maxsize=4096)
def fastest_tile(
    unit: VectorUnit, span_pixels: int, channels: int, depth: int, whole: int = 0, pixels: int = 0
) -> tuple[float, Tile]:
    """Return the predicted cycles of a span and the tile that needs fewest.

    ``whole`` vectors are cut without rest; ``pixels``, where given, are those of the tile.
    """
    legal = [tile for tile in tiles(unit) if whole % tile.vectors == 0 and pixels in (0, tile.pixels)]
    if not legal:
        return inf, tiles(unit)[0]
    best = min(legal, key=lambda tile: tile_cycles(tile, span_pixels, channels, unit, depth))
    return tile_cycles(best, span_pixels, channels, unit, depth)[0], best


def tile_cycles(tile: Tile, pixels: int, channels: int, unit: VectorUnit, depth: int) -> tuple[float, int]:
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
            held_up = max(0, size * wide - unit.together) * HELD_UP
            total += count * times * (depth * step + size * wide * EPILOGUE / PORTS + held_up)
    return total, tile.vectors
