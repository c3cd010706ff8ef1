"""What of a chain is emitted together: a stage with the add, mean or argmax that is folded into it."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.plan.chain import MATRIX_KINDS, Activation, Chain, Stage, StageKind

FOLDABLE = frozenset({StageKind.ADD, StageKind.POOL})
"""Stages that the matrix stage before them absorbs: they need no plane of their own."""


@dataclass(frozen=True)
class Unit:
    """What is emitted together: a stage, and the add or pool folded into it; ``result`` names what leaves it.

    ``ending`` is the clamp of the folded stage, after the stage's own; ``argmax`` is folded into a resize.
    """

    stage: Stage
    result: str
    residual: str | None = None
    pool: bool = False
    ending: Activation | None = None
    argmax: Stage | None = None


def units(chain: Chain) -> tuple[Unit, ...]:
    """Fold every add and pool that can be into the matrix stage it follows, and an argmax into a resize.

    A unit stands where its last stage does: only there is the residual of an add sure to have been made.
    """
    found: list[Unit] = []
    for stage in chain.stages:
        candidates = (index for index in reversed(range(len(found))) if _folds(chain, found[index], stage))
        previous = next(candidates, None)
        if previous is not None:
            before = found.pop(previous)
            if stage.kind is StageKind.ARGMAX:
                found.append(Unit(before.stage, stage.name, argmax=stage))
                continue
            others = [source for source in stage.sources if source != before.result]
            residual = others[0] if stage.kind is StageKind.ADD and others else None
            found.append(Unit(before.stage, stage.name, residual, stage.kind is StageKind.POOL, stage.activation))
        else:
            found.append(Unit(stage, stage.name))
    return tuple(found)


def _folds(chain: Chain, unit: Unit, stage: Stage) -> bool:
    """Whether ``stage`` alone reads ``unit``, and is an argmax of a resize, or an add or a mean of a matrix stage.

    Means walk plain pixels only.
    """
    if stage.kind is StageKind.ARGMAX:
        alone = chain.consumers(unit.result) == (stage,) and unit.result not in chain.outputs
        return unit.stage.kind is StageKind.RESIZE and unit.result == unit.stage.name and alone
    fresh = unit.result == unit.stage.name and unit.stage.kind in MATRIX_KINDS
    read = stage.kind in FOLDABLE and chain.consumers(unit.result) == (stage,) and unit.result not in chain.outputs
    return fresh and read and (stage.kind is StageKind.ADD or unit.stage.window.is_pixel)
