"""Every way to run a chain that a search may try: legal by rule, so that no build fails for what was asked of it.

A kernel's layout decides what is legal; two bounds come on top: on machine code, so that none takes LLVM minutes
or empties the instruction cache, and on scratch memory, which an arena must hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import log
from random import Random

from mnv2c.dtypes import COMPUTED
from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.cost import Caches, unit_cycles
from mnv2c.kernels.division import check_parts, divisions
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import with_loads
from mnv2c.plan.parts import Cut, Parts
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile
from mnv2c.schedule.variants import even_schedules, variants
from mnv2c.tune.space.codesize import instructions
from mnv2c.tune.space.knobs import Knobs
from mnv2c.tune.space.task import Task

MOST_INSTRUCTIONS = 4_000
"""Of a kernel: about 140 kB of objects and a second of LLVM. A long chain may have more, see `MORE_CODE`."""
MORE_CODE = 2.2
"""How many times the default's instructions a choice may have where that is more: products of sums in six stages."""
MORE_SCRATCH = 2
"""How many times the default's scratch memory a choice may take where that is more than the second-level cache."""
SHORT_TILE = 9
"""Pixels of a tile of Strassen's products that suits a small image: 7x7 ones are three pairs of 9 and 8 (Zen 4: 0.91
of the default's time, where pairs of 13 and 12 take 1.2 times as long)."""
SMALL_IMAGE, TALL_TILE = 64, 14
"""Pixels up to which an image is small, and those of a tile of one vector that suits larger ones (Zen 4)."""
IN_PAIRS = 0.8
"""Share of a chunk's vectors that Strassen's products should take in pairs; the rest saves nothing."""
KEPT = 4096
"""Layouts that are remembered: more than a search ranks for one batch."""
ATTEMPTS = 200
"""Draws before the space is taken to be too sparse to hit; nearly all of the first few fit."""


@dataclass(frozen=True, eq=False)
class Space:
    """The choices of ``task``; all methods are deterministic for the state of the generator that they are given."""

    task: Task

    @cached_property
    def unit(self) -> Provider:
        """What the kernels are written for."""
        return provider_for(COMPUTED.name, self.task.target)

    @cached_property
    def caches(self) -> Caches:
        """The target's."""
        return Caches(self.task.target.l1d_bytes, self.task.target.l2_bytes)

    @cached_property
    def knobs(self) -> Knobs:
        """What draws values."""
        return Knobs(self.task.chain, self.unit, self.task.may_be_in_place)

    @cached_property
    def default_instructions(self) -> float:
        """Those of the task's default."""
        return instructions(self._unbounded(self.task.default))

    @cached_property
    def _most_instructions(self) -> float:
        return max(MOST_INSTRUCTIONS, MORE_CODE * self.default_instructions)

    @cached_property
    def _most_scratch(self) -> int:
        default = self._unbounded(self.task.default).scratch_bytes
        return max(self.task.target.l2_bytes, MORE_SCRATCH * default)

    def _unbounded(self, choice: Choice) -> KernelLayout:
        return kernel_layout(replace(self.task.chain, in_place=choice.in_place), choice.schedule, self.unit)

    @cached_property
    def _laid_out(self) -> dict[Choice, KernelLayout]:
        return {}

    @cached_property
    def _counted(self) -> dict[Choice, float]:
        return {}

    def instructions(self, choice: Choice) -> float:
        """Return how many instructions the kernel of a choice of this space has, about."""
        if choice not in self._counted:
            self.layout(choice)
        return self._counted[choice]

    def layout(self, choice: Choice) -> KernelLayout:
        """Return the kernel's layout; raises ScheduleError where the choice is not in the space."""
        if choice not in self._laid_out:
            layout, found = self._checked(choice)
            if len(self._laid_out) >= KEPT:
                self._laid_out.clear()
                self._counted.clear()
            self._laid_out[choice], self._counted[choice] = layout, found
        return self._laid_out[choice]

    def _checked(self, choice: Choice) -> tuple[KernelLayout, float]:
        if choice.in_place and not self.task.may_be_in_place:
            raise ScheduleError("the chain's input is read again, so that it may not be overwritten")
        _check_numbers(choice.schedule)
        layout = self._unbounded(choice)
        found, most = instructions(layout), self._most_instructions
        if choice != self.task.default:
            if found > most:
                raise ScheduleError(f"about {found:.0f} instructions, more than {most:.0f}, do not pay")
            scratch = layout.scratch_bytes
            if scratch > self._most_scratch:
                raise ScheduleError(f"{scratch} bytes of scratch memory, more than {self._most_scratch}, do not pay")
        if choice.parts is not None:
            self._check_parts(layout, choice.parts)
        return layout, found

    def contains(self, choice: Choice) -> bool:
        """Whether the choice is legal for the task; its default always is."""
        try:
            self.layout(choice)
        except ScheduleError:
            return False
        return True

    def _check_parts(self, layout: KernelLayout, parts: Parts) -> None:
        check_parts(layout, parts, self.task.threads)
        known = [cut for cut, _ in divisions(layout, self.task.threads, self.caches)]
        if parts.cut is Cut.COLUMNS and parts not in known:
            raise ScheduleError("columns are cut evenly, one part per thread")

    def starts(self) -> list[Choice]:
        """Return the ways that the analytic rules know, the default first: what a planner chooses between."""
        found = [self.task.default]
        for schedule in dict.fromkeys(kin for known in self._analytic() for kin in self._kin(known)):
            for in_place in (True, False) if self.task.may_be_in_place else (False,):
                plain = Choice(schedule, None, in_place)
                found += [choice for choice in self._divided(plain) if self.contains(choice)]
        return list(dict.fromkeys(found))

    def _analytic(self) -> Iterator[ChainSchedule]:
        chain = self.task.chain
        read = with_loads(chain, self.unit.gathers)
        carries = [stage.name for stage in read.stages if may_carry(read, stage)]
        strided = [name for name in carries if read.stage(name).window.stride[0] > 1]
        again = [name for name in carries if name not in strided]
        for names in (carries, strided):
            yield from variants(chain, self.unit, self.task.target.l2_bytes, names, again if names is carries else ())
        if self.task.threads > 1:
            yield from even_schedules(chain, self.unit, self.task.target.l2_bytes, self.task.threads)

    def _kin(self, schedule: ChainSchedule) -> Iterator[ChainSchedule]:
        """The schedule, and what no rule asks for though it often pays.

        That is products of sums, Strassen's products, and depthwise stages by channel, or exact.
        """
        yield schedule
        yield from (self._summed(schedule, *tile) for tile in self.unit.summed_tiles)
        yield self._strassen(schedule)
        yield self._strassen(schedule, SHORT_TILE)
        if any(tile.vectors > 1 for tile in schedule.tiles):
            yield self._strassen(self._narrow(schedule))  # wide tiles of pairs may be more code than pays
        aligned = self.knobs.aligned(Choice(schedule)).schedule
        if aligned != schedule:
            yield aligned
            yield replace(aligned, depthwise=tuple(replace(row, by_channel=True) for row in aligned.depthwise))
        if any(not row.carry for row in schedule.depthwise):
            rows = tuple(row if row.carry else replace(row, by_channel=True) for row in schedule.depthwise)
            yield replace(schedule, depthwise=rows)
        if any(self.knobs.may_be_exact) and not schedule.chunk:
            yield replace(
                schedule, depthwise=tuple(self._exact(row, index) for index, row in enumerate(schedule.depthwise))
            )

    def with_products(self, choice: Choice) -> list[Choice]:
        """Return the choice, and it with products of sums and with Strassen's wherever they pay or are possible.

        Columns of those are not shared.
        """
        parts = None if choice.parts is not None and choice.parts.cut is Cut.COLUMNS else choice.parts
        tiles = tuple(replace(tile, strassen=False, summed=False) for tile in choice.schedule.tiles)
        plain = replace(choice.schedule, tiles=tiles)
        found = [*(self._summed(plain, *tile) for tile in self.unit.summed_tiles[:1]), self._strassen(plain)]
        others = (replace(choice, schedule=schedule, parts=parts) for schedule in found if schedule != choice.schedule)
        return [choice, *others]

    def _summed(self, schedule: ChainSchedule, pixels: int, vectors: int) -> ChainSchedule:
        """Return the schedule with products of sums wherever they should save time, in tiles of a size."""
        for index, may in enumerate(self.knobs.may_be_summed):
            if may:
                tile = replace(schedule.tiles[index], pixels=pixels, vectors=vectors, strassen=False, summed=True)
                tiles = (*schedule.tiles[:index], tile, *schedule.tiles[index + 1 :])
                changed = self.knobs.repaired(Choice(replace(schedule, tiles=tiles))).schedule
                pays = self._is_possible(changed) and self._computing(changed) < self._computing(schedule)
                schedule = changed if pays else schedule
        return schedule

    def _computing(self, schedule: ChainSchedule) -> float:
        """Predicted cycles without those for memory."""
        return sum(unit_cycles(self._unbounded(Choice(schedule))).values())

    def _strassen(self, schedule: ChainSchedule, most: int = 64) -> ChainSchedule:
        """Return the schedule with Strassen's products wherever they are possible, in tiles of ``most`` pixels."""
        schedule = self._paired_chunk(schedule) if any(self.knobs.may_be_strassen) else schedule
        for index, may in enumerate(self.knobs.may_be_strassen):
            tiles = list(schedule.tiles)
            if may:
                tiles[index] = replace(tiles[index], strassen=True, summed=False, pixels=min(tiles[index].pixels, most))
            changed = self.knobs.repaired(Choice(replace(schedule, tiles=tuple(tiles)))).schedule
            if changed.tiles[index].strassen and self._is_possible(changed):
                schedule = changed
        return schedule

    def _narrow(self, schedule: ChainSchedule) -> ChainSchedule:
        """Return the schedule with tiles of one vector."""
        small = [stage.shape.pixels <= SMALL_IMAGE for stage in self.knobs.matrices]
        pixels = [SHORT_TILE if is_small else TALL_TILE for is_small in small]
        tiles = zip(schedule.tiles, pixels, strict=True)
        return replace(schedule, tiles=tuple(replace(tile, vectors=1, pixels=most) for tile, most in tiles))

    def _paired_chunk(self, schedule: ChainSchedule) -> ChainSchedule:
        """Return the schedule with the nearest chunk most of whose vectors are in pairs."""
        counts = [chunk // self.unit.lanes for chunk in self.knobs.chunks if chunk]
        paired = [count * self.unit.lanes for count in counts if count - count % 2 >= IN_PAIRS * count]
        if not schedule.chunk or not paired:
            return schedule
        nearest = min(paired, key=lambda chunk: abs(log(chunk / schedule.chunk)))
        changed = self.knobs.repaired(Choice(replace(schedule, chunk=nearest))).schedule
        return changed if self._is_possible(changed) else schedule

    def _is_possible(self, schedule: ChainSchedule) -> bool:
        try:
            self._unbounded(Choice(schedule))
        except ScheduleError:
            return False
        return True

    def _exact(self, row: DepthwiseTile, index: int) -> DepthwiseTile:
        if not self.knobs.may_be_exact[index]:
            return row
        return replace(row, exact=True, carry=0, again=False)

    def _divided(self, choice: Choice) -> list[Choice]:
        """The choice for one thread, and shared by all where that is possible."""
        try:
            layout = self._unbounded(choice)
        except ScheduleError:
            return []
        return [choice, *(replace(choice, parts=cut) for cut, _ in divisions(layout, self.task.threads, self.caches))]

    def sample(self, rng: Random) -> Choice:
        """Draw a choice: half of them anew, half a few steps from an analytic one."""
        for _ in range(ATTEMPTS):
            if rng.random() < 0.5:
                drawn = self.knobs.drawn(rng)
            else:
                drawn = self._steps(rng.choice(self._starts), rng.randint(1, 5), rng)
            drawn = self._shared(drawn, rng)
            if self.contains(drawn):
                return drawn
        return self.task.default

    @cached_property
    def _starts(self) -> tuple[Choice, ...]:
        return tuple(self.starts())

    def _steps(self, choice: Choice, count: int, rng: Random) -> Choice:
        for _ in range(count):
            choice = self.knobs.changed(choice, rng)
        return choice

    def neighbours(self, choice: Choice, rng: Random, count: int = 8) -> list[Choice]:
        """Draw up to ``count`` different choices one or two knobs away."""
        found: dict[Choice, None] = {}
        for _ in range(4 * count):
            drawn = self._shared(self._steps(choice, 1 + (rng.random() < 0.4), rng), rng)
            if drawn != choice and drawn not in found and self.contains(drawn):
                found[drawn] = None
            if len(found) == count:
                break
        return list(found)

    def _shared(self, choice: Choice, rng: Random) -> Choice:
        """Cut the kernel for the task's threads in a way that fits the schedule; sometimes not, or a step beside it."""
        if self.task.threads == 1:
            return replace(choice, parts=None)
        ways = self._divided(replace(choice, parts=None))
        if not ways:
            return choice
        if choice.parts is not None and choice in ways[1:] and rng.random() < 0.7:
            return choice
        chosen = ways[0] if len(ways) == 1 or rng.random() < 0.1 else rng.choice(ways[1:])
        if chosen.parts is not None and chosen.parts.ranges and rng.random() < 0.3:
            return replace(chosen, parts=_moved(chosen.parts, rng))
        return chosen


def _check_numbers(schedule: ChainSchedule) -> None:
    counts = [number for tile in schedule.tiles for number in (tile.pixels, tile.vectors, tile.unroll)]
    counts += [number for row in schedule.depthwise for number in (row.pixels, row.group)]
    if min(counts, default=1) < 1 or min(schedule.rows, schedule.chunk, *(row.carry for row in schedule.depthwise)) < 0:
        raise ScheduleError("tiles, unrolling, pixels and groups are at least 1, rows, chunk and carry at least 0")


def _moved(parts: Parts, rng: Random) -> Parts:
    """Move one bound between two strips by a step, if both are left with one."""
    bounds = [0, *(end for _, end in parts.ranges)]
    index, by = rng.randrange(1, len(bounds) - 1) if len(bounds) > 2 else 0, rng.choice((-1, 1))
    if index:
        bounds[index] += by
    ranges = tuple(pairwise(bounds))
    return replace(parts, ranges=ranges) if all(begin < end for begin, end in ranges) else parts
