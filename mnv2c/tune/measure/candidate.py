"""One choice of one task to machine code and packed weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mnv2c.dtypes import COMPUTED
from mnv2c.plan.parts import Parts

if TYPE_CHECKING:
    from mnv2c.schedule.choice import Choice
    from mnv2c.targets import Target
    from mnv2c.tune.space.task import Task

ALIGNMENT = 64


@dataclass(frozen=True)
class Candidate:
    """A compiled choice: the object file with its kernel, packed weights by parameter, bytes of scratch memory each."""

    symbol: str
    machine_code: bytes
    weights: tuple[bytes, ...]
    scratch: tuple[int, ...]
    parts: Parts | None
    in_place: bool


def build_candidate(task: Task, choice: Choice, symbol: str, target: Target) -> Candidate:
    """Compile ``choice`` for ``target`` as the function ``symbol``.

    ScheduleError where it does not fit the task's chain; CompilerError, or TVM's own, where it cannot be compiled.
    """
    from mnv2c.codegen.object import build_object
    from mnv2c.kernels.chain import emit_chain, pack_weights
    from mnv2c.kernels.layout import kernel_layout
    from mnv2c.kernels.microkernels import provider_for
    from mnv2c.tune.measure.sample import weights_of

    chain = replace(task.chain, in_place=choice.in_place)
    layout = kernel_layout(chain, choice.schedule, provider_for(COMPUTED.name, target))
    built = build_object({symbol: emit_chain(layout, symbol, choice.parts)}, target)
    return Candidate(
        symbol=symbol,
        machine_code=built.content,
        weights=tuple(packed.tobytes() for packed in pack_weights(layout, weights_of(task.chain))),
        scratch=tuple(elements * 4 for elements in layout.scratch),
        parts=choice.parts,
        in_place=choice.in_place,
    )
