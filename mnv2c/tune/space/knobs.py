"""The knobs of a chain: the values that each may take, drawn so that what is likely to pay is tried more often.

What is drawn here fits the chain in most cases, not in all: `mnv2c.tune.space.ways` asks the kernel's layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp
from random import Random
from typing import TypeVar

from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.stages.matrix import STATIC_PIXELS
from mnv2c.kernels.strassen import KINDS, NARROWEST
from mnv2c.kernels.summed import GROUP, VECTORS
from mnv2c.plan.chain import Chain, Stage, StageKind, with_loads
from mnv2c.schedule.analytic import matrix_stages, may_chunk, span, tile_cycles, tiles
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile, Tile

T = TypeVar("T")
UNROLLS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32)
MOST_PRODUCTS = 256
"""Most products in a straight line: more of them only fill the instruction cache, and take LLVM long."""
DEPTHWISE_PIXELS = 16
"""Most pixels of an iteration of a depthwise row; their windows are written out one by one."""
STEEPNESS = 8.0
"""How fast the chance of a register tile falls with its predicted cycles: 10 % more are half as likely."""
SELDOM = 0.02
"""The least chance of a register tile, against that of the one predicted to be fastest."""
SHORT = 4
"""How many times likelier a tile is whose code is a loop, where others are written out for every place in the image:
code that is run once per inference comes from the third-level cache (5x5 images, Zen 4: 0.92 of the time)."""
MOST_ROWS = 8
"""Most values of rows per step that are tried beside the whole image: the smallest."""


@dataclass(frozen=True, eq=False)
class Knobs:
    """Draws choices for ``chain``, which is not in place, on ``unit``."""

    chain: Chain
    unit: Provider
    may_be_in_place: bool = False

    @cached_property
    def matrices(self) -> tuple[Stage, ...]:
        """The stages that have a register tile, in order."""
        return tuple(matrix_stages(self.chain))

    @cached_property
    def depthwise(self) -> tuple[Stage, ...]:
        """The depthwise stages, in order."""
        return tuple(stage for stage in self.chain.stages if stage.kind is StageKind.DEPTHWISE)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Rows per step: the whole image, and the smallest divisors of its rows."""
        height = self.chain.stages[-1].shape.rows
        divisors = [rows for rows in range(1, height + 1) if height % rows == 0]
        pooled = any(stage.kind in (StageKind.POOL, StageKind.DENSE) for stage in self.chain.stages)
        return (0,) if pooled else (0, *divisors[:MOST_ROWS])

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """Channels in flight: all, or what divides them into whole vectors."""
        kinds = [stage.kind for stage in self.chain.stages]
        streamed = kinds == [StageKind.POINTWISE, StageKind.POOL, StageKind.DENSE]
        if not (may_chunk(self.chain) or streamed):
            return (0,)
        vectors = self._vectors(self.matrices[0])
        return (0, *(count * self.unit.lanes for count in range(1, vectors + 1) if vectors % count == 0))

    @cached_property
    def _may_carry(self) -> tuple[bool, ...]:
        read = with_loads(self.chain, self.unit.gathers)
        return tuple(may_carry(read, read.stage(stage.name)) for stage in self.depthwise)

    def carries(self, index: int) -> tuple[int, ...]:
        """Channels in flight of a depthwise stage: 0 for a ring, or what divides them into whole vectors."""
        if not self._may_carry[index]:
            return (0,)
        vectors = self._vectors(self.depthwise[index])
        return (0, *(count * self.unit.lanes for count in range(1, vectors + 1) if vectors % count == 0))

    @cached_property
    def may_be_exact(self) -> tuple[bool, ...]:
        """Whether the last vectors of a depthwise stage and of its input are only partly used, by stage."""
        rests = [stage.shape.channels % self.unit.lanes for stage in self.depthwise]
        return tuple(bool(rest) and not self.unit.gathers for rest in rests)

    @cached_property
    def may_be_strassen(self) -> tuple[bool, ...]:
        """Whether a stage is a 1x1 convolution that pairs of tiles, and halves of K, may be cut from, by stage."""
        return tuple(
            stage.kind in KINDS
            and stage.window.is_pixel
            and stage.shape.columns > 1
            and stage.shape.channels >= 2 * self.unit.lanes
            and self._depth(stage) % (2 * NARROWEST) == 0
            for stage in self.matrices
        )

    @cached_property
    def may_be_summed(self) -> tuple[bool, ...]:
        """Whether a stage is a 1x1 convolution for which additions in units of their own may multiply, by stage."""
        return tuple(
            self.unit.adds_apart
            and stage.kind in KINDS
            and stage.window.is_pixel
            and stage.shape.columns > 1
            and self._depth(stage) % VECTORS[-1] == 0
            and self._depth(stage) >= GROUP * VECTORS[-1]
            for stage in self.matrices
        )

    def _vectors(self, stage: Stage) -> int:
        return -(-stage.shape.channels // self.unit.lanes)

    def _depth(self, stage: Stage) -> int:
        return stage.window.taps * self.chain.shape(stage.sources[0]).channels

    def _tile(self, index: int, rows: int, rng: Random) -> Tile:
        """Draw a register tile and its unrolling."""
        shapes, weights = self._tiles(index, rows)
        pixels, vectors = rng.choices(shapes, weights)[0]
        summed = self.may_be_summed[index] and rng.random() < 0.6
        strassen = self.may_be_strassen[index] and not summed and rng.random() < 0.5
        return Tile(pixels, vectors, self._unroll(index, pixels * vectors, rng), strassen, summed)

    def _tiles(self, index: int, rows: int) -> tuple[list[tuple[int, int]], list[float]]:
        """Return the register tiles of a stage that differ in what they cut, and how likely each is to be drawn."""
        known = self._tile_table.get((index, rows))
        if known is None:
            stage = self.matrices[index]
            pixels = span(self.chain, stage, rows)
            cycles: dict[tuple[int, int], float] = {}
            for tile in tiles(self.unit):
                if tile.vectors > self._vectors(stage):
                    continue
                pieces = -(-pixels // tile.pixels)
                cut = (-(-pixels // pieces), tile.vectors)
                cycles[cut] = self._cycles(index, rows, cut)
            least = min(cycles.values())
            weights = [
                max(SELDOM, exp((1 - found / least) * STEEPNESS)) * (SHORT if self._loops(stage, rows, size) else 1)
                for (size, _), found in cycles.items()
            ]
            known = self._tile_table[index, rows] = (list(cycles), weights)
        return known

    def _loops(self, stage: Stage, rows: int, size: int) -> bool:
        """Whether tiles of ``size`` pixels are walked by a loop, where others would be written out one by one."""
        pixels = span(self.chain, stage, rows)
        return rows == 0 and stage.shape.columns < pixels <= STATIC_PIXELS and stage.shape.columns % size == 0

    def aligned(self, choice: Choice) -> Choice:
        """Return the choice with the tiles predicted to be fastest among those that end where rows do."""
        tiles = list(choice.schedule.tiles)
        for index, stage in enumerate(self.matrices):
            shapes, _ = self._tiles(index, choice.schedule.rows)
            fitting = [shape for shape in shapes if self._loops(stage, choice.schedule.rows, shape[0])]
            if fitting:
                pixels, vectors = min(fitting, key=lambda shape: self._cycles(index, choice.schedule.rows, shape))
                tiles[index] = replace(tiles[index], pixels=pixels, vectors=vectors)
        return self.repaired(_with(choice, tiles=tuple(tiles)))

    def _cycles(self, index: int, rows: int, shape: tuple[int, int]) -> float:
        stage = self.matrices[index]
        tile, pixels = Tile(*shape, self.unit.unroll), span(self.chain, stage, rows)
        return tile_cycles(tile, pixels, stage.shape.channels, self.unit, self._depth(stage))[0]

    @cached_property
    def _tile_table(self) -> dict[tuple[int, int], tuple[list[tuple[int, int]], list[float]]]:
        return {}

    def _unroll(self, index: int, accumulators: int, rng: Random) -> int:
        """Draw the values of K per iteration; the provider's own value and those that divide K are more likely."""
        depth = self._depth(self.matrices[index])
        fitting = [size for size in UNROLLS if size <= depth and (size * accumulators <= MOST_PRODUCTS or size == 1)]
        usual = {self.unit.unroll, self.unit.ring_unroll}
        weights = [(3 if size in usual else 1) * (1 if depth % size else 2) for size in fitting]
        return rng.choices(fitting, weights)[0]

    def _row(self, index: int, rng: Random) -> DepthwiseTile:
        """Draw how a depthwise stage runs, but not whether its sums are carried."""
        columns = self.depthwise[index].shape.columns
        pixels = rng.randint(1, min(DEPTHWISE_PIXELS, columns))
        groups = [group for group in range(1, pixels + 1) if pixels % group == 0 or group in self._usual_groups]
        exact = self.may_be_exact[index] and rng.random() < 0.5
        return DepthwiseTile(pixels, rng.choice(groups), by_channel=rng.random() < 0.6, exact=exact)

    @property
    def _usual_groups(self) -> frozenset[int]:
        return frozenset({self.unit.depthwise_group, self.unit.strided_group})

    def drawn(self, rng: Random) -> Choice:
        """Draw every knob."""
        rows = rng.choice(self.rows)
        chunk = rng.choice(self.chunks) if rows == 0 and rng.random() < 0.7 else 0
        matrices = tuple(self._tile(index, rows, rng) for index in range(len(self.matrices)))
        depthwise = tuple(self._with_carry(index, self._row(index, rng), rng) for index in range(len(self.depthwise)))
        schedule = ChainSchedule(rows, chunk, matrices, depthwise, rng.random() < 0.5)
        in_place = self.may_be_in_place and rng.random() < 0.5
        return self.repaired(Choice(schedule, None, in_place))

    def _with_carry(self, index: int, tile: DepthwiseTile, rng: Random) -> DepthwiseTile:
        carry = rng.choice(self.carries(index)) if rng.random() < 0.6 else 0
        strided = self.depthwise[index].window.stride[0] > 1
        return replace(tile, carry=carry, again=bool(carry) and not strided and rng.random() < 0.1)

    def changed(self, choice: Choice, rng: Random) -> Choice:
        """Turn one knob; the others follow where they must."""
        moves: list[tuple[int, Callable[[Choice, Random], Choice]]] = [(1, self._change_prefetch)]
        moves += [(2 * len(self.matrices), self._change_tile), (len(self.matrices), self._change_unroll)]
        moves += [(2, self._change_products)] if any(self.may_be_strassen + self.may_be_summed) else []
        moves += [(2, self._change_rows)] if len(self.rows) > 1 else []
        moves += [(2, self._change_chunk)] if len(self.chunks) > 1 else []
        moves += [(1, self._change_place)] if self.may_be_in_place else []
        if self.depthwise:
            moves += [(2 * len(self.depthwise), self._change_row), (1, self._change_all_rows)]
            moves += [(len(self.depthwise), self._change_carry)] if any(self._may_carry) else []
        move = rng.choices([move for _, move in moves], [weight for weight, _ in moves])[0]
        return self.repaired(move(choice, rng))

    def _change_prefetch(self, choice: Choice, rng: Random) -> Choice:
        return _with(choice, prefetch=not choice.schedule.prefetch)

    def _change_place(self, choice: Choice, rng: Random) -> Choice:
        return replace(choice, in_place=not choice.in_place)

    def _change_tile(self, choice: Choice, rng: Random) -> Choice:
        index = rng.randrange(len(self.matrices))
        return _with(choice, tiles=_put(choice.schedule.tiles, index, self._tile(index, choice.schedule.rows, rng)))

    def _change_products(self, choice: Choice, rng: Random) -> Choice:
        """Turn Strassen's products, or products of sums, on or off: of one stage, or of all."""
        ways = [("strassen", self.may_be_strassen), ("summed", self.may_be_summed)]
        way, able = rng.choice([(way, may) for way, may in ways if any(may)])
        indices = [index for index, may in enumerate(able) if may]
        turned = indices if rng.random() < 0.3 else [rng.choice(indices)]
        value = not getattr(choice.schedule.tiles[turned[0]], way)
        tiles = list(choice.schedule.tiles)
        for index in turned:
            plain = replace(tiles[index], strassen=False, summed=False)
            tiles[index] = replace(plain, **{way: True}) if value else plain
        return _with(choice, tiles=tuple(tiles))

    def _change_unroll(self, choice: Choice, rng: Random) -> Choice:
        index = rng.randrange(len(self.matrices))
        tile = choice.schedule.tiles[index]
        unroll = self._unroll(index, tile.pixels * tile.vectors, rng)
        return _with(choice, tiles=_put(choice.schedule.tiles, index, replace(tile, unroll=unroll)))

    def _change_row(self, choice: Choice, rng: Random) -> Choice:
        index = rng.randrange(len(self.depthwise))
        row, old = self._row(index, rng), choice.schedule.depthwise[index]
        kept = (old.carry, old.again) if rng.random() < 0.8 else (0, False)
        row = replace(row, carry=kept[0], again=kept[1])
        return _with(choice, depthwise=_put(choice.schedule.depthwise, index, row))

    def _change_all_rows(self, choice: Choice, rng: Random) -> Choice:
        """Turn the same switch of all depthwise stages that have it: what pays for one mostly pays for its like."""
        by_channel = rng.random() < 0.7
        rows = choice.schedule.depthwise
        if rng.random() < 0.5:
            return _with(choice, depthwise=tuple(replace(row, by_channel=by_channel) for row in rows))
        strided = [stage.window.stride[0] > 1 for stage in self.depthwise]
        widths = [min(self.carries(index)[1:], default=0) for index in range(len(rows))]
        carried = [
            replace(row, carry=(row.carry or width) if only else 0, again=False)
            for row, width, only in zip(rows, widths, strided, strict=True)
        ]
        changed = _with(choice, depthwise=tuple(carried))
        return changed if choice.schedule.rows else _with(changed, rows=1, chunk=0)

    def _change_carry(self, choice: Choice, rng: Random) -> Choice:
        index = rng.choice([index for index, may in enumerate(self._may_carry) if may])
        row = self._with_carry(index, choice.schedule.depthwise[index], rng)
        changed = _with(choice, depthwise=_put(choice.schedule.depthwise, index, row))
        return _with(changed, rows=1, chunk=0) if row.carry and not choice.schedule.rows else changed

    def _change_rows(self, choice: Choice, rng: Random) -> Choice:
        return _with(choice, rows=rng.choice(self.rows), chunk=0)

    def _change_chunk(self, choice: Choice, rng: Random) -> Choice:
        return replace(_with(choice, rows=0, chunk=rng.choice(self.chunks)), in_place=False)

    def repaired(self, choice: Choice) -> Choice:
        """Let the knobs that depend on others follow them: chunks and carried channels are cut by whole tiles."""
        schedule, lanes = choice.schedule, self.unit.lanes
        depthwise = [replace(row, by_channel=False, exact=False) if row.carry else row for row in schedule.depthwise]
        if schedule.rows != 1:  # sums are carried from row to row
            depthwise = [replace(row, carry=0, again=False) for row in depthwise]
        if choice.in_place:
            depthwise = [replace(row, again=False) for row in depthwise]
        tiles = [self._possible(index, tile) for index, tile in enumerate(schedule.tiles)]
        if schedule.chunk:
            depthwise = [replace(row, exact=False) for row in depthwise]
            tiles[0] = _cut_by(tiles[0], schedule.chunk // lanes)
        names = [stage.name for stage in self.matrices]
        for stage, row in zip(self.depthwise, depthwise, strict=True):
            if row.carry and stage.sources[0] in names:
                index = names.index(stage.sources[0])
                tiles[index] = _cut_by(tiles[index], row.carry // lanes)
        in_place = choice.in_place and not schedule.chunk
        return replace(_with(choice, tiles=tuple(tiles), depthwise=tuple(depthwise)), in_place=in_place)

    def _possible(self, index: int, tile: Tile) -> Tile:
        """Return a tile without products that the stage cannot have, and of which it has two if Strassen's want two.

        Products of sums save nothing in tiles of several vectors where loads are instructions (`kernels.cost`).
        """
        if tile.summed:
            return replace(tile, vectors=1) if self.may_be_summed[index] else replace(tile, summed=False)
        if not tile.strassen:
            return tile
        if not self.may_be_strassen[index]:
            return replace(tile, strassen=False)
        return replace(tile, vectors=min(tile.vectors, self.matrices[index].shape.channels // self.unit.lanes // 2))


def _with(choice: Choice, **changes: object) -> Choice:
    return replace(choice, schedule=replace(choice.schedule, **changes))  # type: ignore[arg-type]


def _put(values: Sequence[T], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _cut_by(tile: Tile, vectors: int) -> Tile:
    """Return the tile with as many vectors as divide ``vectors``, at most its own; two of them do if it is paired.

    Where pairs do not divide an odd number one tile is left without a partner.
    """
    if tile.strassen and vectors == 1:
        tile = replace(tile, strassen=False)
    wide = vectors // 2 if tile.strassen and vectors % 2 == 0 else vectors
    most = min(tile.vectors, vectors // 2) if tile.strassen else tile.vectors
    return replace(tile, vectors=max(width for width in range(1, most + 1) if wide % width == 0))
