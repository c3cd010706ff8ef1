"""What a session leaves: for every chain what was found, and what the network gains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any

from mnv2c.tune.session.standing import ChainStanding


@dataclass(frozen=True)
class Tuned:
    """The result of a session.

    ``cost`` and ``default_cost`` are those of all chains of a run, in ``unit``: the plan and schedules that compiles
    take from now on, and those without records; None where something could not be measured. ``recut`` says that the
    plan has other chains. ``trials`` were measured now, ``known`` of those asked for before, and defaults ``weighed``
    once more to compare plans, of which no records are kept. ``ended`` is empty for a session that came to its end,
    else why it did not. ``file`` is where the records are.
    """

    name: str
    summary: str
    target: str
    device: str
    cpu: str
    threads: int
    unit: str
    trials: int
    known: int
    weighed: int
    seconds: float
    cost: float | None
    default_cost: float | None
    peak_share: float | None
    recut: bool
    chains: tuple[ChainStanding, ...]
    notes: tuple[str, ...]
    file: Path
    ended: str = ""
    interrupted: bool = False

    @property
    def ratio(self) -> float | None:
        """The tuned network's cost over the default's."""
        return self.cost / self.default_cost if self.cost and self.default_cost else None

    @property
    def mean_ratio(self) -> float:
        """The geometric mean of the chains' ratios, each as often as it occurs."""
        times = sum(chain.times for chain in self.chains)
        return exp(sum(chain.times * log(chain.ratio) for chain in self.chains) / times) if times else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {key: value for key, value in asdict(self).items() if key not in ("chains", "file", "notes")}
        return plain | {
            "ratio": self.ratio,
            "mean_ratio": self.mean_ratio,
            "chains": [asdict(chain) for chain in self.chains],
            "notes": list(self.notes),
            "file": str(self.file),
        }
