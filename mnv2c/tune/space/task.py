"""What is tuned: one chain for one target, and the choices between which measuring decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.schedule.choice import Choice
    from mnv2c.targets import Target


class Status(StrEnum):
    """How the measuring of one choice ended; the value is the word in records."""

    OK = "ok"
    WRONG = "wrong"
    CRASHED = "crashed"
    HUNG = "hung"
    UNBUILT = "unbuilt"
    LOST = "lost"
    """The device went away; the choice was not to blame and may be measured again."""


@dataclass(frozen=True)
class Task:
    """One chain to tune for ``target`` and ``threads`` threads.

    ``chain`` is not in place; ``may_be_in_place`` says whether a choice may be. ``default`` is what a compile without
    records takes. ``label`` is the first place where the chain occurs in the network, ``times`` how often it does.
    """

    label: str
    chain: Chain
    target: Target
    default: Choice
    threads: int = 1
    times: int = 1
    may_be_in_place: bool = False


@dataclass(frozen=True)
class Measured:
    """What a device found for one choice.

    ``ratio`` is the choice's cost over the default's, from interleaved rounds of one process, and ``spread`` the
    distance between its quartiles: the median where caches are always alike; where every second round has its weights
    in memory, the larger of two medians. ``cost`` is the ratio times the default's cost, in seconds per call (the mean
    of its medians in both states), or what an emulator counts (instructions and weighted misses); ``costs`` are the
    rounds'. ``error`` is max |y - reference| over max |reference|. ``conditions`` are what was readable on the device:
    core, frequencies in Hz, temperatures in degrees Celsius; and the ``ratios`` and ``default_costs`` of both states.
    """

    status: Status
    cost: float | None = None
    ratio: float | None = None
    spread: float | None = None
    error: float | None = None
    costs: tuple[float, ...] = ()
    detail: str = ""
    device: str = ""
    conditions: dict[str, object] = field(default_factory=dict, hash=False)

    @property
    def valid(self) -> bool:
        """Whether the choice computed right numbers in time, and ``cost`` and ``ratio`` tell how fast."""
        return self.status == Status.OK
