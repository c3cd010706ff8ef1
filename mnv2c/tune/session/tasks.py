"""From a model to what is tuned: the distinct chains of a plan, each with the choice that compiles take by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.options import PlanOptions
from mnv2c.errors import CompilerError, UserError
from mnv2c.tune.space.task import Task

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.plan.network import Network
    from mnv2c.planner.cuts import Cuts, Piece, Planner
    from mnv2c.schedule.choice import Choice
    from mnv2c.targets import Target


@dataclass(frozen=True, eq=False)
class TuningProblem:
    """A network that is to be tuned for ``target`` and ``threads``, and ``cuts``: its plan without any record.

    ``planner`` knows every way to run every chain that the network could be cut into, with predicted times.
    """

    title: str
    summary: str
    network: Network
    planner: Planner
    cuts: Cuts
    target: Target
    threads: int = 1
    _chains: dict[tuple[int, int], Chain] = field(default_factory=dict)

    def tasks(self, cuts: Cuts) -> tuple[Task, ...]:
        """Return the distinct chains of a plan in the order in which they run; TVM's own kernels are not tuned."""
        return self._tasks(cuts.pieces)

    def tasks_of(self, wanted: Callable[[Chain], bool]) -> tuple[Task, ...]:
        """Return those of all chains that the network could be cut into that are ``wanted``."""
        return self._tasks([piece for piece in self.fastest.values() if _is_chain(piece) and wanted(self.chain(piece))])

    def _tasks(self, pieces: Sequence[Piece]) -> tuple[Task, ...]:
        places: dict[Chain, list[Piece]] = {}
        for piece in pieces:
            if _is_chain(piece):
                places.setdefault(self.chain(piece), []).append(piece)
        return tuple(self._task(chain, found) for chain, found in places.items())

    @cached_property
    def fastest(self) -> dict[tuple[int, int], Piece]:
        """The fastest way to run nodes [first, last] as one chain, as predicted, for all that may be one."""
        found: dict[tuple[int, int], Piece] = {}
        for piece in (piece for pieces in self.planner.pieces for piece in pieces):
            known = found.setdefault((piece.first, piece.last), piece)
            if piece.option.cycles < known.option.cycles:
                found[piece.first, piece.last] = piece
        return found

    def chain(self, piece: Piece) -> Chain:
        """Return the chain of a piece that is no fallback, which is not in place."""
        from mnv2c.plan.join import joined

        place = piece.first, piece.last
        if place not in self._chains:
            self._chains[place] = joined(self.network, *place).chain
        return self._chains[place]

    def _task(self, chain: Chain, pieces: list[Piece]) -> Task:
        """The default is the fastest, as predicted, of those that the plan has: it may save memory at some places."""
        from mnv2c.plan.join import joined

        fastest = min(pieces, key=lambda piece: piece.option.cycles)
        return Task(
            label=joined(self.network, pieces[0].first, pieces[0].last).label,
            chain=chain,
            target=self.target,
            default=_choice(fastest),
            threads=self.threads,
            times=len({piece.first for piece in pieces}),
            may_be_in_place=all(self._may_be_in_place(piece) for piece in pieces),
        )

    def _may_be_in_place(self, piece: Piece) -> bool:
        from mnv2c.plan.assemble import runs_in_place

        return piece.first == piece.last and runs_in_place(self.network, piece.first) is not None


def _choice(piece: Piece) -> Choice:
    candidate = piece.option.candidate
    if candidate is None:
        raise CompilerError("a fallback was to be tuned; please report this")
    return candidate.choice


def _is_chain(piece: Piece) -> bool:
    """TVM's own kernels have no schedule."""
    return piece.option.candidate is not None


def read_target(options: PlanOptions) -> Target:
    """Return the target that chains are tuned for; UserError where it is none or several, or an option is wrong."""
    from mnv2c import targets
    from mnv2c.compiler.variants import parts

    options.check_values()
    if len(parts(options.target)) > 1:
        raise UserError(f'target "{options.target}": chains are tuned for one CPU at a time; give one of them')
    return targets.load(options.target)


def read(options: PlanOptions) -> TuningProblem:
    """Read and plan a zoo model, a TOML spec or an ONNX file as a compile without records would; UserError."""
    from mnv2c.compiler.pipeline import run
    from mnv2c.records.best import NOTHING

    chosen = read_target(options)
    state = run(Compilation(options, (chosen,), (NOTHING,)), last="plan")
    planner, title = state.prepared[0].planner, state.source.title
    found = TuningProblem(title, state.source.summary, state.network, planner, state.cuts, chosen, options.threads)
    if not found.tasks(state.cuts):
        raise UserError(f"{title}: nothing to tune: no part of it is a chain (`mnv2c plan` shows why)")
    return found
