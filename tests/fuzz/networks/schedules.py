"""What records of tuning might say of any chain: legal cuts and schedules, drawn where a compile asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mnv2c.dtypes import COMPUTED
from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.plan.chain import Chain, StageKind, input_name, with_loads
from mnv2c.plan.join import may_join
from mnv2c.plan.network import Network
from mnv2c.planner.cuts import LONGEST
from mnv2c.records.best import OWN, Best, Kept
from mnv2c.records.record import ChainRecord
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.schedule.variants import variants
from mnv2c.targets import Target
from mnv2c.tune.space.task import Task
from mnv2c.tune.space.ways import Space

RATIO = 0.01
"""So much faster than predicted ways that a plan with a limit takes a drawn one wherever it fits."""
DRAWN, CUT, CARRIED, BY_ROWS = 0.9, 0.85, 0.35, 0.3
"""The share of chains whose schedule, and of networks whose cuts, are drawn; those of the planner's own schedules which
carry sums, or run row by row, as large images do: small ones leave it no reason."""


@dataclass(frozen=True)
class Drawn(Best):
    """Draws what a session of tuning could have found; the same for the same ``seed`` and chain."""

    seed: int = 0
    target: Target | None = None
    threads: int = 1

    def __bool__(self) -> bool:
        return True

    def kept(self, chain: Chain) -> Kept | None:
        """A legal choice for most chains."""
        assert self.target is not None
        name = chain_id(chain)
        random = Random(f"schedule {self.seed}/{name}")
        known = _planned(chain, self.target) if random.random() < DRAWN else []
        if not known:
            return None
        carrying = [choice for choice in known if any(row.carry for row in choice.schedule.depthwise)]
        by_rows = [choice for choice in known if choice.schedule.rows]
        share = random.random()
        if carrying and share < CARRIED:
            choice = random.choice(carrying)
        elif by_rows and share < CARRIED + BY_ROWS:
            choice = random.choice(by_rows)
        else:
            task = Task("drawn", chain, self.target, known[0], self.threads, may_be_in_place=_adds_its_input(chain))
            choice = Space(task).sample(random)
        record = ChainRecord(self.target.name, self.threads, "drawn", name, describe(chain), choice, ratio=RATIO)
        return Kept(record, OWN)

    def cuts(self, network: Network) -> tuple[int, ...] | None:
        """Legal cuts of most networks, rather long chains."""
        random = Random(f"cuts {self.seed}")
        if random.random() >= CUT:
            return None
        starts = [0]
        while starts[-1] < len(network.nodes):
            first = starts[-1]
            lasts = range(first, min(first + LONGEST, len(network.nodes)))
            possible = [last for last in lasts if may_join(network, first, last)]
            starts.append(random.choice(possible[-2:] if random.random() < 0.7 else possible) + 1)
        return tuple(starts[:-1])


def _planned(chain: Chain, target: Target) -> list[Choice]:
    """The planner's schedules that are legal."""
    unit, found = provider_for(COMPUTED.name, target), []
    read = with_loads(chain, unit.gathers)
    carries = [stage.name for stage in read.stages if may_carry(read, stage)]
    for schedule in dict.fromkeys(variants(chain, unit, target.l2_bytes, carries, carries)):
        try:
            kernel_layout(chain, schedule, unit)
        except ScheduleError:
            continue
        found.append(Choice(schedule))
    return found


def _adds_its_input(chain: Chain) -> bool:
    last = chain.stages[-1]
    return last.kind is StageKind.ADD and input_name(0) in last.sources and chain.inputs[0] == last.shape
