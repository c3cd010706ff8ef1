"""The schedules among which the planner chooses: the analytic one, and those that trade time for memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mnv2c.plan.chain import Chain, Stage, StageKind, clips, products
from mnv2c.schedule.analytic import (
    WHOLE_PIXELS,
    VectorUnit,
    analytic_schedule,
    chunked,
    fastest_tile,
    matrix_stages,
    may_chunk,
    span,
    tile_cycles,
    tiles,
)
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile

CHUNK_SHARES = (4, 8, 16)
"""Shares of the second-level cache that the channels in flight of a small image may take."""
MOST_WHOLE = 256
"""Images up to this size may be computed at once where threads share its channels, or weights outweigh it."""
MOST_PIXELS = 128
"""Most pixels of one step of a strip: rings of more rows would not stay in the cache."""
WIDE, NARROW = 8, 1
"""Most vectors of channels in flight of a carried stage: for time, and for memory."""


def variants(
    chain: Chain, unit: VectorUnit, l2_bytes: int, carries: Sequence[str], again: Sequence[str] = ()
) -> Iterator[ChainSchedule]:
    """Yield schedules worth pricing for ``chain``, the analytic one first; not every one is legal.

    ``carries`` names the depthwise stages that may carry their sums when one row is made per pass, ``again`` those of
    them that may keep nothing, in the order in which that saves most.
    """
    if len(chain.stages) > 1 and chain.stages[-1].kind is StageKind.DENSE:
        yield from _streamed(chain, unit, l2_bytes)
        return
    default = analytic_schedule(chain, unit, l2_bytes)
    yield default
    if may_chunk(chain):
        for share in CHUNK_SHARES:
            yield from chunked(chain, unit, l2_bytes // share)
    elif default.rows and max(stage.shape.pixels for stage in chain.stages) <= MOST_WHOLE:
        yield analytic_schedule(chain, unit, l2_bytes, rows=0)
    if any(clips(chain, stage) for stage in chain.stages):
        yield from _more_rows(chain, unit, l2_bytes, default.rows)
    if any(stage.kind is StageKind.POOL for stage in chain.stages) or not carries:
        return
    by_row = default if default.rows == 1 else analytic_schedule(chain, unit, l2_bytes, rows=1)
    if by_row is not default:
        yield by_row
    for most in (WIDE, NARROW):
        for kept_nothing in range(len(again) + 1):
            yield _carried(chain, unit, by_row, carries, again[:kept_nothing], most)


def _more_rows(chain: Chain, unit: VectorUnit, l2_bytes: int, least: int) -> Iterator[ChainSchedule]:
    """Yield schedules of more rows per step, for weights that do not stay in the cache from one step to the next."""
    height = chain.stages[-1].shape.rows
    for rows in range(least + 1, height + 1):
        if height % rows == 0:
            yield analytic_schedule(chain, unit, l2_bytes, rows=rows)


def _streamed(chain: Chain, unit: VectorUnit, l2_bytes: int) -> Iterator[ChainSchedule]:
    """Yield the schedule in which a pooled convolution's products hide how long the classifier's weights take to come.

    While a chunk of channels is made, the rows of weights that it will be multiplied with are fetched.
    """
    kinds = [stage.kind for stage in chain.stages]
    if kinds != [StageKind.POINTWISE, StageKind.POOL, StageKind.DENSE] or not unit.prefetches:
        return
    pooled, classifier = matrix_stages(chain)
    pixels, vectors = pooled.shape.pixels, -(-pooled.shape.channels // unit.lanes)
    if pixels > WHOLE_PIXELS:  # the products of larger images take so long that there is little to hide
        return
    _, tile = fastest_tile(unit, pixels, pooled.shape.channels, products(chain, pooled), vectors)
    most = max(1, l2_bytes // 4 // (tile.vectors * unit.lanes * classifier.shape.channels * unit.bytes))
    cuts = vectors // tile.vectors
    chunk = next(count for count in range(min(most, cuts), 0, -1) if cuts % count == 0) * tile.vectors * unit.lanes
    whole = analytic_schedule(chain, unit, l2_bytes, rows=0)
    yield replace(whole, chunk=chunk, tiles=(replace(tile, unroll=whole.tiles[0].unroll), whole.tiles[1]))


def _carried(
    chain: Chain, unit: VectorUnit, schedule: ChainSchedule, carries: Sequence[str], again: Sequence[str], most: int
) -> ChainSchedule:
    stages = [stage for stage in chain.stages if stage.kind is StageKind.DEPTHWISE]
    matrices = [stage.name for stage in matrix_stages(chain)]
    chosen, rows = list(schedule.tiles), []
    for stage, tile in zip(stages, schedule.depthwise, strict=True):
        if stage.name in carries:
            source = chain.stage(stage.sources[0])
            index = matrices.index(source.name)
            vectors, best = _in_flight(chain, unit, source, most)
            chosen[index] = replace(chosen[index], pixels=best.pixels, vectors=best.vectors)
            rows.append(DepthwiseTile(tile.pixels, tile.group, vectors * unit.lanes, stage.name in again))
        else:
            rows.append(tile)
    return replace(schedule, tiles=tuple(chosen), depthwise=tuple(rows))


def _in_flight(chain: Chain, unit: VectorUnit, source: Stage, most: int) -> tuple[int, Tile]:
    """Return the vectors of channels in flight, at most ``most``, and the tile that cuts them: the fastest together."""
    vectors = -(-source.shape.channels // unit.lanes)
    counts = [count for count in range(1, min(most, vectors) + 1) if vectors % count == 0]
    depth, pixels = products(chain, source), span(chain, source, 1)

    def cycles(count: int) -> tuple[float, int]:
        return fastest_tile(unit, pixels, source.shape.channels, depth, count)[0], count

    best = min(counts, key=cycles)
    return best, fastest_tile(unit, pixels, source.shape.channels, depth, best)[1]


def even_schedules(chain: Chain, unit: VectorUnit, l2_bytes: int, threads: int) -> Iterator[ChainSchedule]:
    """Yield schedules that several threads can share evenly: the image at once, and an equal number of steps each."""
    if len(chain.stages) > 1 and chain.stages[-1].kind is StageKind.DENSE:
        return
    last, default = chain.stages[-1], analytic_schedule(chain, unit, l2_bytes)
    image = max(stage.shape.pixels for stage in chain.stages)
    if image <= MOST_WHOLE or last.kind is StageKind.POOL:
        whole = analytic_schedule(chain, unit, l2_bytes, rows=0)
        cut = [_even_tile(chain, unit, stage, threads) for stage in matrix_stages(chain)]
        unrolled = [replace(new, unroll=old.unroll) for new, old in zip(cut, whole.tiles, strict=True)]
        yield replace(whole, tiles=tuple(unrolled))
    if last.kind is StageKind.POOL:
        return
    for rows in range(1, last.shape.rows // threads + 1):
        even = last.shape.rows % rows == 0 and (last.shape.rows // rows) % threads == 0
        if even and rows != default.rows and rows * last.shape.columns <= MOST_PIXELS:
            yield analytic_schedule(chain, unit, l2_bytes, rows=rows)


def _even_tile(chain: Chain, unit: VectorUnit, stage: Stage, threads: int) -> Tile:
    """Return the tile with which the thread that has most columns is done first; the last one has what is left over."""
    vectors = -(-stage.shape.channels // unit.lanes)
    depth, pixels = products(chain, stage), span(chain, stage, 0)

    def cycles(tile: Tile) -> tuple[float, int]:
        whole = vectors // tile.vectors
        first = -(-whole // threads)
        last = whole - -(-whole * (threads - 1) // threads)
        columns = max(first * tile.vectors, last * tile.vectors + vectors % tile.vectors)
        return tile_cycles(tile, pixels, columns * unit.lanes, unit, depth)

    return min(tiles(unit), key=cycles)
