"""One tuning session: the search over all chains, where to cut anew, and a confirmation at the end.

Trials are spread over the chains by the time that the next batch of each is expected to save. Cuts are then planned
anew with measured costs, and chains that only the new plan has are searched like the others. At the end the best
candidates of every chain are measured once more, longer, beside the default: what is not surely faster keeps it.
New cuts are weighed, too: the chains in which the plans differ are measured again within the same minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mnv2c.records.best import SECONDS
from mnv2c.tune.measure.pipeline import Builds, Job, Pipeline, Results
from mnv2c.tune.session import replan
from mnv2c.tune.session.chain_state import ChainState
from mnv2c.tune.session.standing import Phase, Standing, Watch
from mnv2c.tune.space.task import Status

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.planner.cuts import Cuts
    from mnv2c.tune.devices.base import Device
    from mnv2c.tune.session.tasks import TuningProblem
    from mnv2c.tune.space.task import Task

BATCH = 8
"""Most candidates that are built and measured together: enough to pay for linking, few enough to learn from."""
CUTS_SHARE = 0.2
"""Share of the trials that is kept for chains that only another plan has."""
REPLANS = 3
"""Most plans that are measured in turn; each may bring chains that were only predicted."""
TRIAL_SECONDS, CONFIRM_SECONDS = 2.0, 6.0
"""Most seconds for one candidate in the search, and at the end."""
LOST_BATCHES = 3
"""A device that gave nothing so many times in a row is given up."""
WEIGHINGS = 3
"""How often all chains in which two plans differ are measured in turn: the new plan must win each time. The time of one
chain changed by 14 % within a session while another one measured on the next core (Zen 3)."""
CONFIRM_SHARE = 0.25
"""Share of a limit of minutes that is kept for the confirmation."""


class SessionLog(Protocol):
    """Keeps what was measured."""

    def add(self, job: Job, results: Results) -> None:
        """Keep a batch's results."""
        ...

    def decided(self, state: ChainState) -> None:
        """Keep what a chain's confirmation came to."""
        ...

    def has(self, chain: Chain) -> bool:
        """Whether something is on record of a chain."""
        ...

    def reached(self, phase: Phase, seconds: float) -> None:
        """Keep how far the session has come."""
        ...


@dataclass(frozen=True)
class Limits:
    """``trials`` to measure, those on record not among them; ``seconds`` of the whole session, None for no limit."""

    trials: int
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """How a session ends: the ``cuts`` to take, and whether they differ from those without records."""

    cuts: Cuts
    recut: bool


@dataclass(eq=False)
class Session:
    """``begin(task)`` gives a chain's state with what is on record; ``peak`` the CPU's multiply-adds per second.

    ``trials`` and ``elapsed`` are what an interrupted session had done before; ``weighed`` counts the defaults measured
    to compare plans.
    """

    problem: TuningProblem
    device: Device
    log: SessionLog
    begin: Callable[[Task], ChainState]
    limits: Limits
    watch: Watch = lambda standing: None
    peak: float | None = None
    trials: int = 0
    elapsed: float = 0.0
    clock: Callable[[], float] = time.monotonic
    states: dict[Chain, ChainState] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    phase: Phase = Phase.SEARCH
    given_up: str = ""
    weighed: int = 0
    _weighed: dict[Chain, float] = field(default_factory=dict)
    _planned: int = 0
    _lost: int = 0
    _since: float | None = None
    _pipeline: Pipeline = field(init=False)

    def run(self, builder: Builds) -> Plan:
        """Search, cut, confirm; everything measured is in the log whenever this is left, by whatever."""
        self._pipeline = Pipeline(builder, self.device, self._measured, self._finished)
        self._since = self.clock() - self.elapsed
        self._planned = self.trials
        self._add(self.problem.tasks(self.problem.cuts))
        self._add(self.problem.tasks_of(self.log.has))
        self._report(None)
        self._search(round(self.limits.trials * (1 - CUTS_SHARE)))
        self._recut()
        self._search(self.limits.trials)
        if not self.given_up:
            self._confirm()
        plan = self._choose()
        if plan.recut and not (self.given_up or self._stays_cheaper(plan.cuts)):
            plan = Plan(self.problem.cuts, False)
        if not self.given_up:
            self._enter(Phase.DONE)
        return plan

    @property
    def seconds(self) -> float:
        """Seconds that the session has taken, with those before it was interrupted."""
        return self.elapsed if self._since is None else self.clock() - self._since

    def _add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if task.chain not in self.states:
                self.states[task.chain] = self.begin(task)

    def _wanted(self) -> list[ChainState]:
        """The chains of the plan without records, and of the best one by what is known."""
        best = replan.replanned(self.problem, self.costs(hoped=True), measured_only=True)
        tasks = [*self.problem.tasks(self.problem.cuts), *(self.problem.tasks(best) if best is not None else ())]
        return [self.states[chain] for chain in dict.fromkeys(task.chain for task in tasks)]

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.log.reached(phase, self.seconds)
        self._report(None)

    def _search(self, most: int, among: Iterable[ChainState] | None = None) -> None:
        """Measure until ``most`` trials are planned, all chains have converged or time is over.

        A chain's default is no trial, and is measured even where none are left.
        """
        states = self._wanted() if among is None else list(among)

        def next_job() -> Job | None:
            if self.given_up or self._out_of_time():
                return None
            for state in self._order(states):
                left = max(0, most - self._planned)
                choices = state.propose(min(self._batch(), left)) if left or not state.tried else ()
                if choices:
                    self._planned += len(set(choices) - {state.task.default})
                    return Job(state.task, choices, TRIAL_SECONDS)
            return None

        self._pipeline.run(next_job)

    def _batch(self) -> int:
        """With few trials every chain still gets some."""
        return max(1, min(BATCH, self.limits.trials // (2 * len(self.states))))

    def _order(self, states: list[ChainState]) -> list[ChainState]:
        """Chains to go on with: new ones in the order of the network, then by the time that is expected to be saved."""
        waiting = [state for state in states if not state.busy and not state.converged]
        new = [state for state in waiting if not state.tried]
        rest = [state for state in waiting if state.tried]
        return new + sorted(rest, key=_hope, reverse=True)

    def _out_of_time(self) -> bool:
        limit = self.limits.seconds
        return limit is not None and self.seconds > limit * (1 - CONFIRM_SHARE)

    def _recut(self) -> None:
        """Plan with what was measured, and search the chains of that plan, until it has no new ones."""
        self._enter(Phase.CUTS)
        for turn in range(REPLANS):
            left = self.limits.trials - self._planned
            cuts = replan.replanned(self.problem, self.costs(hoped=True))
            tasks = [] if cuts is None else [task for task in self.problem.tasks(cuts) if task.chain not in self.states]
            if not tasks or left <= 0 or self.given_up or self._out_of_time():
                return
            self._add(tasks)
            most = self._planned + max(len(tasks), left // (REPLANS - turn))
            self._search(min(most, self.limits.trials), [self.states[task.chain] for task in tasks])

    def default_costs(self) -> dict[Chain, float]:
        """Return the costs per call of all measured chains, run as without records."""
        found = {chain: state.default_cost for chain, state in self.states.items()}
        return {chain: cost for chain, cost in found.items() if cost is not None}

    def costs(self, hoped: bool = False) -> dict[Chain, float]:
        """Return them for chains run as was decided; ``hoped``: the best way that the search has seen."""

        def ratio(state: ChainState) -> float:
            return min(state.settled_ratio, state.best_ratio) if hoped else state.settled_ratio

        return {chain: cost * ratio(self.states[chain]) for chain, cost in self.default_costs().items()}

    def _state_costs(self) -> list[dict[Chain, float]]:
        """Return the costs of chains run as was decided, weights in memory or in a cache, if a device tells both.

        For a chain on record from before it did, its one cost stands for both.
        """
        costs = self.costs()
        states = {chain: self.states[chain].default_costs for chain in costs}
        if not any(states.values()):
            return []
        found: tuple[dict[Chain, float], dict[Chain, float]] = {}, {}
        for chain, cost in costs.items():
            pair, ratio = states[chain], self.states[chain].settled_ratio
            for index, each in enumerate(found):
                each[chain] = cost if pair is None else pair[index] * ratio
        return list(found)

    def _confirm(self) -> None:
        """Decide for every chain; where no candidate was faster there is nothing to measure."""
        self._enter(Phase.CONFIRM)
        waiting = [(state, state.contenders()) for state in self._wanted()]
        for state, choices in waiting:
            if not choices and state.tried and state.decision is None:
                state.confirm(())
                self.log.decided(state)
        jobs = [Job(state.task, choices, CONFIRM_SECONDS, confirms=True) for state, choices in waiting if choices]
        self._pipeline.run(self._jobs(jobs))

    def _stays_cheaper(self, cuts: Cuts) -> bool:
        """Whether ``cuts`` win each time that the chains of both plans are timed in turns; counts repeat anyway."""
        if self.device.unit != SECONDS:
            return True
        costs, first = self.costs(), self.problem.cuts
        chains = dict.fromkeys(chain for own in replan.different(self.problem, cuts, first) for chain in own)
        states = [self.states[chain] for chain in chains]
        for _ in range(WEIGHINGS):
            self._weighed.clear()
            jobs = (Job(state.task, (state.task.default,), CONFIRM_SECONDS, weighs=True) for state in states)
            self._pipeline.run(self._jobs(jobs))
            costs |= {chain: cost * self.states[chain].settled_ratio for chain, cost in self._weighed.items()}
            known = len(self._weighed) == len(states)
            if not (known and replan.surely_cheaper(self.problem, cuts, first, costs)):
                return False
        return True

    def _jobs(self, jobs: Iterable[Job]) -> Callable[[], Job | None]:
        """One after the other, until the device is given up."""
        waiting = iter(jobs)
        return lambda: None if self.given_up else next(waiting, None)

    def _choose(self) -> Plan:
        """Return the fastest of the plans whose chains are all measured, the one without records unless in doubt."""
        costs, first = self.costs(), self.problem.cuts
        cuts = replan.replanned(self.problem, costs, measured_only=True)
        known = all(task.chain in costs for task in self.problem.tasks(first))
        recut = (
            cuts is not None
            and known
            and replan.starts(cuts) != replan.starts(first)
            and replan.surely_cheaper(self.problem, cuts, first, costs)
            and replan.pays(self.problem, cuts, first, costs)
            and all(replan.surely_cheaper(self.problem, cuts, first, each, gain=0) for each in self._state_costs())
        )
        return Plan(cuts if recut and cuts is not None else first, recut)

    def _measured(self, job: Job, results: Results) -> None:
        kept = tuple(entry for entry in results if entry[1].status != Status.LOST)
        if kept and not job.weighs:
            self.log.add(job, kept)

    def _finished(self, job: Job, results: Results) -> None:
        state = self.states[job.task.chain]
        lost = [measured for _, measured in results if measured.status == Status.LOST]
        if job.weighs:
            ((_, found),) = results
            self.weighed += 1
            if found.valid and found.cost:
                self._weighed[job.task.chain] = found.cost
        elif job.confirms:
            state.confirm(results)
            if len(lost) < len(results):
                self.log.decided(state)
        else:
            before = state.trials
            state.learn(results)
            self.trials += state.trials - before
            self._planned -= sum(choice != job.task.default for choice, found in results if found.status == Status.LOST)
        self._lost = self._lost + 1 if len(lost) == len(results) else 0
        if self._lost >= LOST_BATCHES:
            self.given_up = lost[0].detail or "the device gives no answers"
        self.log.reached(self.phase, self.seconds)
        self._report(state, _note(job, results))

    def _report(self, state: ChainState | None, note: str = "") -> None:
        if note:
            self.notes.append(note)
        first = {task.chain for task in self.problem.tasks(self.problem.cuts)}
        states = [entry for chain, entry in self.states.items() if entry.trials or chain in first]
        self.watch(
            Standing(
                phase=self.phase,
                trials=self.trials,
                most=self.limits.trials,
                elapsed=self.seconds,
                left=self._left(),
                unit=self.device.unit,
                chains=tuple(entry.standing(self.peak, self.phase == Phase.DONE) for entry in states),
                at=states.index(state) if state in states else None,
                note=note,
            )
        )

    def _left(self) -> float | None:
        """Guess the seconds that are left: the search goes on as before, then comes the confirmation."""
        if self.phase == Phase.DONE or not self.trials:
            return None if not self.trials else 0.0
        waiting = sum(len(state.contenders()) for state in self.states.values())
        rest = max(0, self.limits.trials - self.trials) if self.phase != Phase.CONFIRM else 0
        guess = self.seconds / self.trials * rest + waiting * CONFIRM_SECONDS
        return guess if self.limits.seconds is None else max(0.0, min(guess, self.limits.seconds - self.seconds))


def _hope(state: ChainState) -> float:
    """The time of a whole run that the chain's next batch is expected to save."""
    return state.task.times * (state.default_cost or 0.0) * state.searcher.expected_gain


def _note(job: Job, results: Results) -> str:
    """What users should know of a batch: candidates that failed although they were legal."""
    words = {Status.WRONG: "computed wrong numbers", Status.CRASHED: "crashed", Status.HUNG: "hung"}
    words |= {Status.LOST: "lost with the device, to be tried again", Status.UNBUILT: "could not be built"}
    found = [measured.status for _, measured in results if measured.status in words]
    counts = [f"{found.count(status)} {words[status]}" for status in dict.fromkeys(found)]
    details = next((measured.detail for _, measured in results if measured.status in words and measured.detail), "")
    if not counts:
        return ""
    return f"{job.task.label}: {', '.join(counts)}" + (f" ({details})" if details else "")
