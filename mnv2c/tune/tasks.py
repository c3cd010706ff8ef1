"""From a model to what is tuned: the distinct chains of a plan, each with the choice that a compile takes by default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import UserError
from mnv2c.schedule.choice import Choice
from mnv2c.tune.task import Task

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.plan.cuts import Cuts, Option, Piece, Planner
    from mnv2c.plan.network import Network
    from mnv2c.targets import Target


@dataclass(frozen=True, eq=False)
class Tunable:
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

    def tasks(self, cuts: Cuts) -> tuple[Task, ...]:
        """Return the distinct chains of a plan in the order in which they run; TVM's own kernels are not tuned."""
        places: dict[Chain, list[Piece]] = {}
        for piece in cuts.pieces:
            if piece.option.choice is not None:
                places.setdefault(self.chain(piece), []).append(piece)
        return tuple(self._task(chain, pieces) for chain, pieces in places.items())

    def chain(self, piece: Piece) -> Chain:
        """Return the chain of a piece that is no fallback, which is not in place."""
        from mnv2c.compiler.planning import joined

        return joined(self.network, piece.first, piece.last).chain

    def _task(self, chain: Chain, pieces: list[Piece]) -> Task:
        """The default is the fastest, as predicted, of those that the plan has: it may save memory at some places."""
        from mnv2c.compiler.planning import joined

        fastest = min(pieces, key=lambda piece: piece.option.cycles)
        return Task(
            label=joined(self.network, pieces[0].first, pieces[0].last).label,
            chain=chain,
            target=self.target,
            default=choice_of(fastest.option),
            threads=self.threads,
            times=len(pieces),
            may_be_in_place=all(self._may_be_in_place(piece) for piece in pieces),
        )

    def _may_be_in_place(self, piece: Piece) -> bool:
        from mnv2c.plan.assemble import runs_in_place

        return piece.first == piece.last and runs_in_place(self.network, piece.first) is not None


def choice_of(option: Option) -> Choice:
    """Return how an option of the planner runs its chain."""
    layout, parts = option.choice
    return Choice(layout.schedule, parts, layout.chain.in_place)


def read(
    model: str | Path,
    target: str | Path = "host",
    *,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
    threads: int = 1,
    tell: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Tunable:
    """Read and plan a zoo model, a TOML spec or an ONNX file as a compile without records would; UserError."""
    from mnv2c import targets
    from mnv2c.compiler import check_threads
    from mnv2c.compiler.front import front
    from mnv2c.compiler.guard import one_line_errors
    from mnv2c.compiler.variants import parts

    check_threads(threads)
    if len(parts(target)) > 1:
        raise UserError(f'target "{target}": chains are tuned for one CPU at a time; give one of them')
    chosen = targets.load(target)
    begun = front(model, width=width, resolution=resolution, classes=classes, tell=tell)
    tell("the plan", 0.5)
    from mnv2c.compiler import planning

    with one_line_errors(begun.source.title, "planned"):
        planner = planning.prepare(begun.network, begun.library, chosen, threads).planner
        cuts = planning.choose(planner, None, threads)
    found = Tunable(begun.source.title, begun.source.summary, begun.network, planner, cuts, chosen, threads)
    if not found.tasks(cuts):
        raise UserError(f"{begun.source.title}: nothing to tune: no part of it is a chain (`mnv2c plan` shows why)")
    return found
