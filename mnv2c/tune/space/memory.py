"""Whether a way to run a chain, or to cut a network, is worth the memory that it takes beyond the default's.

Measured alone, a kernel has the caches to itself; in a network its scratch memory displaces what others left there, and
users count on small arenas and libraries.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import kernel_layout

if TYPE_CHECKING:
    from mnv2c.kernels.microkernels.base import Provider
    from mnv2c.plan.chain import Chain
    from mnv2c.schedule.choice import Choice

MORE, ENOUGH = 1.1, 0.96
"""Memory over the default's that matters, and the ratio of times that is worth it."""
ROOM = 8192, 262144
"""Bytes of scratch memory, and of weights, that do not matter."""
MUCH, WORTH_MUCH = 524288, 0.92
"""Bytes of scratch memory over the default's that may make a large image's arena larger, and the ratio worth those."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The memory that the choices of ``chain`` take beside its ``default``, in kernels written for ``unit``."""

    chain: Chain
    default: Choice
    unit: Provider
    _known: dict[Choice, tuple[int, int]] = field(default_factory=dict)

    def of(self, choice: Choice) -> tuple[int, int]:
        """Return the bytes of scratch memory and of packed weights; ScheduleError for what is not legal."""
        if choice not in self._known:
            layout = kernel_layout(replace(self.chain, in_place=choice.in_place), choice.schedule, self.unit)
            self._known[choice] = layout.scratch_bytes, layout.weight_bytes
        return self._known[choice]

    def is_paid(self, choice: Choice, ratio: float) -> bool:
        """Whether ``ratio`` of the default's time is worth what the choice takes; no longer legal, it is not."""
        try:
            return pays(ratio, self.of(choice), self.of(self.default))
        except ScheduleError:
            return False


def pays(ratio: float, taken: tuple[int, int], before: tuple[int, int]) -> bool:
    """Whether ``ratio`` of the time is worth what is ``taken``, in bytes of scratch memory and of weights."""
    if ratio <= ENOUGH:
        return ratio <= WORTH_MUCH or taken[0] <= before[0] + MUCH
    return all(now <= then * MORE + room for now, then, room in zip(taken, before, ROOM, strict=True))
