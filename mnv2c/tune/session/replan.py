"""Where to cut a network, once the costs of some chains are measured instead of predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from mnv2c.tune.space import memory

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.planner.cuts import Cuts, Option
    from mnv2c.tune.session.tasks import TuningProblem

LEAST_CUT_GAIN = 0.02
"""Costs of different chains come from different minutes; a new plan must be faster by more than that makes unsure."""


def replanned(problem: TuningProblem, costs: Mapping[Chain, float], measured_only: bool = False) -> Cuts | None:
    """Return the fastest plan by the ``costs`` of chains, per call, that are known.

    The others are priced as predicted, in the measured ones' unit: a plan with chains that are not in ``costs`` says
    what to measure next. With ``measured_only`` no such chain is used; None where there is no plan then.
    """
    scale = _scale(problem, costs)

    def options(first: int, last: int) -> Sequence[Option]:
        piece = problem.fastest.get((first, last))
        if piece is None:
            return []
        if piece.option.candidate is None:
            return [piece.option]
        chain = problem.chain(piece)
        if measured_only and chain not in costs:
            return []
        return [replace(piece.option, cycles=costs.get(chain, piece.option.cycles * scale))]

    return replace(problem.planner, options=options).fastest()


def _scale(problem: TuningProblem, costs: Mapping[Chain, float]) -> float:
    """Measured cost per predicted cycle: the median over the chains of the first plan, 1 where none was measured."""
    known = [
        costs[problem.chain(piece)] / piece.option.cycles
        for piece in problem.cuts.pieces
        if piece.option.candidate is not None and piece.option.cycles and problem.chain(piece) in costs
    ]
    return median(known) if known else 1.0


def cost_of(problem: TuningProblem, cuts: Cuts, costs: Mapping[Chain, float]) -> float:
    """Return the cost of one run of all chains of a plan; KeyError where one of them was not measured."""
    return sum(costs[problem.chain(piece)] for piece in cuts.pieces if piece.option.candidate is not None)


def starts(cuts: Cuts) -> tuple[int, ...]:
    """Return the indices of the nodes that the plan's chains begin with, which is what a record of cuts keeps."""
    return tuple(piece.first for piece in cuts.pieces)


def surely_cheaper(
    problem: TuningProblem, new: Cuts, old: Cuts, costs: Mapping[Chain, float], gain: float = LEAST_CUT_GAIN
) -> bool:
    """Whether ``new`` is faster than ``old`` by more than chance, in the chains in which they differ."""
    news, olds = (sum(costs[chain] for chain in chains) for chains in different(problem, new, old))
    return news < olds * (1 - gain)


def pays(problem: TuningProblem, new: Cuts, old: Cuts, costs: Mapping[Chain, float]) -> bool:
    """Whether what ``new`` saves of the whole network's cost is worth the memory that it takes beyond ``old``."""
    ratio = cost_of(problem, new, costs) / cost_of(problem, old, costs)
    return memory.pays(ratio, (new.peak, 0), (old.peak, 0))


def different(problem: TuningProblem, new: Cuts, old: Cuts) -> tuple[list[Chain], list[Chain]]:
    """Return the chains that only the first plan has at its place, and those that only the second one has."""
    places = [{(piece.first, piece.last) for piece in cuts.pieces} for cuts in (new, old)]
    shared = places[0] & places[1]

    def own(cuts: Cuts) -> list[Chain]:
        pieces = [piece for piece in cuts.pieces if (piece.first, piece.last) not in shared]
        return [problem.chain(piece) for piece in pieces if piece.option.candidate is not None]

    return own(new), own(old)
