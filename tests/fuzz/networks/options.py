"""How a drawn network is compiled and run: for what, in how many threads, joined or not, scheduled how, in how much."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random

from tests.fuzz.networks.draw import VERSION

HOST = ("host", "x86-64-v3")
EMULATED = ("cortex-a53", "cortex-a76", "cortex-a7")
TARGETS = (*HOST, *EMULATED)


@dataclass(frozen=True)
class Options:
    """``schedules`` is the seed of drawn cuts and schedules; None leaves both to the planner.

    ``limit`` is where between the smallest plan's arena (0) and the largest one's (1) the arena is limited.
    """

    target: str = "host"
    threads: int = 1
    join: bool = True
    schedules: int | None = None
    limit: float | None = None

    @property
    def emulated(self) -> bool:
        """Whether the library is for another CPU."""
        return self.target in EMULATED

    def to_json(self) -> str:
        return json.dumps({key: value for key, value in asdict(self).items() if value != getattr(PLAIN, key)})

    @classmethod
    def from_json(cls, text: str) -> Options:
        return cls(**json.loads(text))

    def features(self) -> list[str]:
        """What is counted of them."""
        found = [f"target {self.target}", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        found.append("joined" if self.join else "not joined")
        found.append("planned schedules" if self.schedules is None else "drawn schedules")
        if self.limit is not None:
            found.append("smallest arena" if self.limit == 0 else "arena limited between")
        return found


PLAIN = Options()


def draw_options(seed: int, index: int, targets: Sequence[str] = HOST) -> Options:
    """The options of network ``index`` of ``seed``, for one of ``targets``."""
    random = Random(f"options {VERSION}/{seed}/{index}")
    limit = random.choice((None,) * 7 + (0.0, 0.0, random.random()))
    drawn, threads = random.randrange(1 << 30), random.choice((1,) * 6 + (2, 2, 3, 4, 5, 8))
    return Options(
        target=random.choice(targets),
        threads=threads,
        join=random.random() < 0.8,
        schedules=drawn if random.random() < 0.6 else None,
        limit=limit,
    )
