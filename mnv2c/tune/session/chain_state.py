"""What a session knows of one chain: what was measured, what is under way, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Protocol

from mnv2c.dtypes import COMPUTED
from mnv2c.kernels.microkernels import provider_for
from mnv2c.tune.session.certainty import highest_ratio, least_gain, surely_faster
from mnv2c.tune.session.standing import ChainStanding
from mnv2c.tune.space.memory import Memory
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.schedule.choice import Choice
    from mnv2c.tune.space.task import Task

CONTENDERS = 3
"""Of the best candidates so many are measured again at the end: the very first of them may have been lucky."""
STATES = 2
"""Of the weights when a kernel begins: in memory, in a cache."""
PATIENCE = 2
"""How often a choice is tried again that a device lost."""


class Searcher(Protocol):
    """Decides what is measured next; see `mnv2c.tune.model.search`."""

    def propose(self, count: int) -> Sequence[Choice]:
        """Return at most ``count`` choices that were not proposed before; none where there are no more."""
        ...

    def tell(self, choice: Choice, measured: Measured) -> None:
        """Learn from a result."""
        ...

    @property
    def done(self) -> bool:
        """Whether more measuring promises nothing."""
        ...

    @property
    def expected_gain(self) -> float:
        """The share of the chain's time that the next batch may save."""
        ...


@dataclass(frozen=True)
class Decision:
    """What a compile is to take: the ``choice``, its ``ratio`` to the default (1 for the default itself), its cost."""

    choice: Choice
    ratio: float
    cost: float | None


@dataclass(eq=False)
class ChainState:
    """``tried`` holds all results, also those on record; ``trials`` counts what this session measured.

    ``decision`` is what the last confirmation came to, here or on record, and ``weighed`` what was known then.
    """

    task: Task
    searcher: Searcher
    tried: dict[Choice, Measured] = field(default_factory=dict)
    trials: int = 0
    decision: Decision | None = None
    weighed: set[Choice] = field(default_factory=set)
    current: float | None = None
    faults: list[str] = field(default_factory=list)
    _pending: set[Choice] = field(default_factory=set)
    _lost: dict[Choice, int] = field(default_factory=dict)
    _again: list[Choice] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether a batch of the chain is under way."""
        return bool(self._pending)

    @property
    def converged(self) -> bool:
        """Whether nothing is left to be tried."""
        return bool(self.tried or self._lost) and not self._again and self.searcher.done

    def propose(self, count: int) -> tuple[Choice, ...]:
        """Return ``count`` choices to measure next, which then count as under way: first of all what a device lost.

        A chain of which nothing is known begins with its default, which is no trial: its cost is wanted even where
        nothing else works, and records say by it what their ratios are ratios to.
        """
        first = [] if self.tried or self._pending or self._lost else [self.task.default]
        again, self._again = self._again[:count], self._again[count:]
        wanted = count - len(again)
        fresh = self.searcher.propose(wanted) if wanted > 0 and not self.searcher.done else []
        known = self.tried.keys() | self._pending
        found = tuple(dict.fromkeys(choice for choice in (*first, *again, *fresh) if choice not in known))
        self._pending.update(found)
        return found

    def learn(self, results: Iterable[tuple[Choice, Measured]]) -> None:
        """Take in what the search's batch gave; what the device lost will be tried again."""
        for choice, measured in results:
            self._pending.discard(choice)
            if measured.status == Status.LOST:
                self._lost[choice] = self._lost.get(choice, 0) + 1
                if self._lost[choice] <= PATIENCE:
                    self._again.append(choice)
                continue
            self.trials += choice != self.task.default
            self._take(choice, measured)
            if choice != self.task.default:
                self.searcher.tell(choice, measured)

    def _take(self, choice: Choice, measured: Measured) -> None:
        self.tried[choice] = measured
        if measured.valid:
            self.current = measured.cost
        elif measured.status != Status.UNBUILT:
            self.faults.append(f"{measured.status}: {measured.detail}" if measured.detail else str(measured.status))

    def confirm(self, results: Iterable[tuple[Choice, Measured]]) -> None:
        """Decide by the longer measurement of the contenders, which replaces what was known of them.

        Of those that are surely faster the fastest one is taken that is worth its memory.
        """
        known = [(choice, measured) for choice, measured in results if measured.status != Status.LOST]
        if results and not known:
            return  # the device is gone; what was decided before holds
        for choice, measured in known:
            self._take(choice, measured)
        self.weighed = set(self.tried)
        sure = [entry for entry in known if surely_faster(entry[1]) and self._is_paid(*entry)]
        choice, best = min(sure, key=lambda entry: highest_ratio(entry[1]), default=(self.task.default, None))
        if best is None or best.ratio is None:
            self.decision = Decision(self.task.default, 1.0, self.default_cost)
        else:
            self.decision = Decision(choice, best.ratio, best.cost)

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self.task.chain, self.task.default, provider_for(COMPUTED.name, self.task.target))

    def _is_paid(self, choice: Choice, measured: Measured) -> bool:
        return measured.ratio is not None and self._memory.is_paid(choice, measured.ratio)

    @property
    def default_cost(self) -> float | None:
        """The default's cost in the device's unit: the median of what it was beside every candidate."""
        costs = [found.cost / found.ratio for found in self.tried.values() if found.cost and found.ratio]
        if not costs and self.decision is not None and self.decision.cost is not None:
            return self.decision.cost / self.decision.ratio
        return median(costs) if costs else None

    @property
    def default_costs(self) -> tuple[float, float] | None:
        """The default's cost with weights in memory and in a cache, where a device measures both."""
        known = [found.conditions.get("default_costs") for found in self.tried.values() if found.valid]
        pairs = [pair for pair in known if isinstance(pair, list | tuple) and len(pair) == STATES]
        pairs = [pair for pair in pairs if all(isinstance(cost, int | float) and cost > 0 for cost in pair)]
        return (median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)) if pairs else None

    def _hopeful(self, bar: float) -> list[tuple[float, Choice]]:
        """Choices that took less than ``bar`` of the default's time and are worth their memory, the best first."""
        found = [
            (measured.ratio, choice)
            for choice, measured in self.tried.items()
            if measured.valid and measured.ratio is not None and measured.ratio < bar and choice != self.task.default
        ]
        paid = [(ratio, choice) for ratio, choice in found if self._memory.is_paid(choice, ratio)]
        return sorted(paid, key=lambda entry: entry[0])

    @property
    def best_ratio(self) -> float:
        """The best ratio of the search: 1 where nothing was faster than the default."""
        return next((ratio for ratio, _ in self._hopeful(1.0)), 1.0)

    @property
    def settled_ratio(self) -> float:
        """The ratio of what a compile is to take: 1 without a decision."""
        return self.decision.ratio if self.decision is not None else 1.0

    def contenders(self) -> tuple[Choice, ...]:
        """Return what to measure again: the best few, and what was decided before; none where nothing new is better."""
        hopeful = [
            choice
            for ratio, choice in self._hopeful(self.settled_ratio)
            if ratio < self.settled_ratio * (1 - least_gain(self.tried[choice]) / 2)
        ]
        best = [choice for choice in hopeful if choice not in self.weighed][:CONTENDERS]
        if best and self.decision is not None and self.decision.choice != self.task.default:
            return (*best, self.decision.choice)
        return tuple(best)

    def standing(self, peak: float | None, ended: bool = False) -> ChainStanding:
        """Describe the chain for people; ``peak`` are the CPU's multiply-adds per second, ``ended`` the session's."""
        ratio = self.settled_ratio if self.decision is not None and not self.contenders() else self.best_ratio
        default = self.default_cost
        best = None if default is None else default * ratio
        return ChainStanding(
            label=self.task.label,
            times=self.task.times,
            trials=self.trials,
            default=default,
            current=self.current,
            best=best,
            ratio=ratio,
            peak_share=self.task.chain.madds / best / peak if best and peak else None,
            state=self._word(ended),
        )

    def _word(self, ended: bool) -> str:
        if ended and self.decision is not None:
            return "tuned" if self.decision.choice != self.task.default else "default"
        return "converged" if self.converged else "searching"
