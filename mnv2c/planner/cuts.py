"""Where to cut the network into chains, and how each runs: the least predicted time within a limit of memory.

Every run of nodes that can be one chain has options: a time and scratch memory each. A dynamic program over the cuts
picks the fastest sequence in which no chain, with the tensors that are alive beside it, exceeds the limit. The set of
all answers is the frontier between time and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any

from mnv2c.plan.arena import aligned
from mnv2c.plan.join import may_join
from mnv2c.plan.network import Network
from mnv2c.schedule.choice import Choice

if TYPE_CHECKING:
    from mnv2c.kernels.layout import KernelLayout
    from mnv2c.plan.parts import Parts

LONGEST = 10
"""Most nodes that are tried as one chain: what lies further apart shares no large tensor."""


@dataclass(frozen=True)
class Tuned:
    """That a way to run a chain was measured: its time over the default's, and whose record says so."""

    source: str
    ratio: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """How a chain may run: its kernel as it is laid out, and how threads share it."""

    layout: KernelLayout
    parts: Parts | None = None

    @property
    def choice(self) -> Choice:
        """The candidate as records know it."""
        return Choice(self.layout.schedule, self.parts, self.layout.chain.in_place)


@dataclass(frozen=True)
class Option:
    """One way to run a chain: predicted ``cycles``, ``scratch`` in bytes; ``candidate`` is None for a fallback.

    Of several variants planned at once it stands for one option of ``each``. ``tuned`` is set where it was measured to
    be faster than the default; ``confirmed`` where it is the default, and nothing was found to be faster.
    """

    cycles: float
    scratch: tuple[int, ...]
    in_place: bool = False
    candidate: Candidate | None = None
    tuned: Tuned | None = None
    confirmed: bool = False
    each: tuple[Option, ...] = ()

    @property
    def of_each(self) -> tuple[Option, ...]:
        """The options of the variants that it stands for, itself where there is one."""
        return self.each or (self,)

    @property
    def measured(self) -> bool:
        """Whether a measurement speaks for it, and not only a prediction."""
        return self.confirmed or self.tuned is not None


@dataclass(frozen=True)
class Piece:
    """Nodes [first, last] as one chain; ``peak`` bytes are in use while it runs."""

    first: int
    last: int
    option: Option
    peak: int


@dataclass(frozen=True)
class Cuts:
    """A whole plan: pieces in order, their predicted cycles, and the most memory that any of them needs."""

    pieces: tuple[Piece, ...]

    @property
    def cycles(self) -> float:
        """Predicted cycles of one run."""
        return sum(piece.option.cycles for piece in self.pieces)

    @property
    def peak(self) -> int:
        """Bytes of the arena, if nothing is lost between buffers."""
        return max((piece.peak for piece in self.pieces), default=0)


@dataclass(frozen=True, eq=False)
class Planner:
    """Plans ``network``; ``options(first, last)`` are the ways to run nodes [first, last] as one chain.

    ``longest`` is the most nodes that are joined. ``starts`` are the first nodes of the chains where those are given.
    """

    network: Network
    options: Callable[[int, int], Sequence[Option]]
    longest: int = LONGEST
    starts: tuple[int, ...] | None = None

    @cached_property
    def pieces(self) -> tuple[tuple[Piece, ...], ...]:
        """For every first node all pieces worth having: none is both slower and larger than another."""
        return tuple(tuple(self._from(first)) for first in range(len(self.network.nodes)))

    def _from(self, first: int) -> list[Piece]:
        found: list[Piece] = []
        for last in self._lasts(first):
            if not may_join(self.network, first, last):
                continue  # one node more, which reads what these leave, may make it right
            around = self._around(first, last)
            choices = [
                Piece(first, last, option, around + self._own(first, option)) for option in self.options(first, last)
            ]
            best = inf
            for piece in sorted(choices, key=lambda piece: (piece.peak, piece.option.cycles)):
                if piece.option.cycles < best:
                    best = piece.option.cycles
                    found.append(piece)
        return found

    def _lasts(self, first: int) -> range:
        """The nodes that may be the last one of a chain from ``first``."""
        count = len(self.network.nodes)
        if self.starts is None:
            return range(first, min(first + self.longest, count))
        ends = dict(pairwise((*self.starts, count)))
        return range(ends[first] - 1, ends[first]) if ends.get(first, 0) > first else range(0)

    def _around(self, first: int, last: int) -> int:
        """Bytes of all tensors that are alive while the nodes run, but for those between them."""
        network, alive = self.network, set(self._kept[first])
        for index, node in enumerate(network.nodes[first : last + 1], first):  # recorded cuts may lie beyond the end
            for name in node.outputs:
                end = max(index, network.last_use(name))
                between = end <= last and index < last
                if not network.is_callers(name) and not between:
                    alive.add(network.owner(name))
        return sum(aligned(network.tensors[name].bytes) for name in alive)

    @cached_property
    def _kept(self) -> tuple[frozenset[str], ...]:
        """For every node the tensors that lie in the arena before it runs, and that it or a later one reads."""
        network, alive, kept = self.network, dict[str, int](), list[frozenset[str]]()
        for index, node in enumerate(network.nodes):
            alive = {name: end for name, end in alive.items() if end >= index}
            kept.append(frozenset(map(network.owner, alive)))
            alive |= {name: network.last_use(name) for name in node.outputs if not network.is_callers(name)}
        return tuple(kept)

    def _own(self, first: int, option: Option) -> int:
        """Bytes of an option's scratch memory, less its result where that lies in the input."""
        scratch = sum(aligned(size) for size in option.scratch)
        result = self.network.tensors[self.network.nodes[first].outputs[0]]
        return scratch - (aligned(result.bytes) if option.in_place else 0)

    def fastest(self, limit: float = inf) -> Cuts | None:
        """Return the plan of least time whose every piece fits ``limit`` bytes; None if there is none.

        Among equally fast ones it is that which needs least memory.
        """
        count = len(self.pieces)
        best, chosen = [(inf, inf)] * count + [(0.0, 0.0)], dict[int, Piece]()
        for first in reversed(range(count)):
            for piece in self.pieces[first]:
                cycles, peak = best[piece.last + 1]
                total = (piece.option.cycles + cycles, max(piece.peak, peak))
                if piece.peak <= limit and total < best[first]:
                    best[first], chosen[first] = total, piece
        if best[0][0] == inf:
            return None
        pieces: list[Piece] = []
        while (at := pieces[-1].last + 1 if pieces else 0) < count:
            pieces.append(chosen[at])
        return Cuts(tuple(pieces))

    def frontier(self) -> list[Cuts]:
        """Return all plans that are fastest for their memory, the smallest first: time falls as memory grows."""
        found: list[Cuts] = []
        plan = self.fastest()
        while plan is not None:
            found.append(plan)
            plan = self.fastest(plan.peak - 1) if plan.pieces else None
        return found[::-1]
