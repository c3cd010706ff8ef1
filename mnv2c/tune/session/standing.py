"""How far a session has come, as data for whatever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a session does at the moment; the value is the word that is shown."""

    SEARCH = "search"
    CUTS = "cuts"
    CONFIRM = "confirmation"
    DONE = "done"


@dataclass(frozen=True)
class ChainStanding:
    """One chain: costs of one call in the device's unit, None as long as nothing is known.

    ``current`` is the cost that was measured last, ``ratio`` the best cost over the default's, ``peak_share`` the
    best's share of the CPU's peak. ``state`` is a word for people: searching, converged, tuned, default.
    """

    label: str
    times: int
    trials: int
    default: float | None
    current: float | None
    best: float | None
    ratio: float
    peak_share: float | None
    state: str


@dataclass(frozen=True)
class Standing:
    """A session: ``trials`` done of ``most``, seconds ``elapsed`` and ``left`` (a guess; None while there is none).

    ``at`` is the index of the chain that was measured last; ``note`` is what happened, one line, mostly empty.
    """

    phase: Phase
    trials: int
    most: int
    elapsed: float
    left: float | None
    unit: str
    chains: tuple[ChainStanding, ...]
    at: int | None = None
    note: str = ""


Watch = Callable[[Standing], None]
"""Is told after every batch."""
