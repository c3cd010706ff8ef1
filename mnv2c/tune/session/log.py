"""A session's results as records: appended to the user's file the moment they are known, and read back at the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.records.record import ChainRecord, CutsRecord, Evidence, Record
from mnv2c.records.store import append
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.tune.session.chain_state import ChainState, Decision, Searcher
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.schedule.choice import Choice
    from mnv2c.tune.measure.pipeline import Job, Results
    from mnv2c.tune.session.checkpoint import Checkpoint
    from mnv2c.tune.session.session import Plan
    from mnv2c.tune.session.standing import Phase
    from mnv2c.tune.space.task import Task


@dataclass(frozen=True)
class Origin:
    """What all records of a session have in common: ``entry`` is the target's file, ``device`` a URL."""

    entry: str
    threads: int
    unit: str
    device: str
    evidence: Evidence
    peak: float | None = None

    def covers(self, record: Record) -> bool:
        """Whether a record's figures mean the same as this session's: same CPU, threads, unit and versions."""
        ours, theirs = self.evidence, record.evidence
        alike = (ours.cpu, ours.tvm, ours.llvm, ours.mnv2c) == (theirs.cpu, theirs.tvm, theirs.llvm, theirs.mnv2c)
        return alike and (self.entry, self.threads, self.unit) == (record.target, record.threads, record.unit)


@dataclass(eq=False)
class SessionLog:
    """Appends to ``file``; ``known`` are the records that were there before, by the session that made them."""

    file: Path
    origin: Origin
    checkpoint: Checkpoint
    known: Sequence[Record] = ()
    _described: dict[Chain, dict[str, object]] = field(default_factory=dict)

    def add(self, job: Job, results: Results) -> None:
        """Append a line for every result."""
        append(self.file, [self._record(job.task, choice, measured) for choice, measured in results])

    def decided(self, state: ChainState) -> None:
        """Append what a compile is to take for a chain."""
        decision, task = state.decision, state.task
        if decision is None:
            return
        measured = state.tried.get(decision.choice) or Measured(Status.OK)
        measured = replace(measured, status=Status.OK, cost=decision.cost, ratio=decision.ratio)
        append(self.file, [replace(self._record(task, decision.choice, measured), confirmed=True)])

    def cut(self, network_id: str, label: str, plan: Plan, cost: float, default_cost: float, trials: int) -> None:
        """Append where the network is to be cut, also where that is the plan without records: it was compared.

        What the last record says already is not said again, unless a session that measured something ends with it.
        """
        record = CutsRecord(
            target=self.origin.entry,
            threads=self.origin.threads,
            label=label,
            network_id=network_id,
            cuts=tuple(piece.first for piece in plan.cuts.pieces),
            cost=cost,
            default_cost=default_cost,
            unit=self.origin.unit,
            device=self.origin.device,
            evidence=self._evidence(),
        )
        last = [entry.cuts for entry in self.known if isinstance(entry, CutsRecord) and self._is_of(entry, network_id)]
        if trials or last[-1:] != [record.cuts]:
            append(self.file, [record])

    def _is_of(self, record: CutsRecord, network_id: str) -> bool:
        return record.network_id == network_id and self.origin.covers(record)

    def has(self, chain: Chain) -> bool:
        """Whether something is on record of a chain that means the same as what will be measured."""
        return chain_id(chain) in self._identities

    @cached_property
    def _identities(self) -> frozenset[str]:
        return frozenset(record.chain_id for record in self.chains())

    def reached(self, phase: Phase, seconds: float) -> None:
        """Write the session's file anew."""
        self.checkpoint.reached(phase, seconds)

    def _record(self, task: Task, choice: Choice, measured: Measured) -> ChainRecord:
        if task.chain not in self._described:
            self._described[task.chain] = describe(task.chain)
        peak, cost = self.origin.peak, measured.cost
        return ChainRecord(
            target=self.origin.entry,
            threads=self.origin.threads,
            label=task.label,
            chain_id=chain_id(task.chain),
            chain=self._described[task.chain],
            choice=choice,
            default=choice == task.default,
            status=str(measured.status),
            cost=cost,
            unit=self.origin.unit,
            ratio=measured.ratio,
            spread=measured.spread,
            error=measured.error,
            peak_share=task.chain.madds / cost / peak if peak and cost else None,
            device=measured.device or self.origin.device,
            evidence=replace(self._evidence(), conditions=measured.conditions),
        )

    def _evidence(self) -> Evidence:
        return replace(self.origin.evidence, date=datetime.now(UTC).isoformat(timespec="seconds"))

    def state(self, task: Task, searcher: Searcher) -> ChainState:
        """Return a chain's state with all that is on record of it and means the same as what will be measured."""
        state = ChainState(task, searcher)
        for record in self._of(task):
            if record.confirmed:
                state.decision = None if record.ratio is None else Decision(record.choice, record.ratio, record.cost)
                state.weighed = set(state.tried)
            else:
                own = record.evidence.session == self.origin.evidence.session and not record.default
                state.trials += own and record.choice not in state.tried
                state.tried[record.choice] = measured_of(record)
        return state

    def _of(self, task: Task) -> list[ChainRecord]:
        """The chain's records of sessions that compared with the same default."""
        identity = chain_id(task.chain)
        own = [record for record in self.chains() if record.chain_id == identity]
        others = {record.evidence.session for record in own if record.default and record.choice != task.default}
        return [record for record in own if record.evidence.session not in others]

    def chains(self) -> Iterator[ChainRecord]:
        """Yield the records of chains that mean the same as what will be measured."""
        for record in self.known:
            if isinstance(record, ChainRecord) and self.origin.covers(record):
                yield record

    def spent(self, sessions: Iterable[str]) -> int:
        """Return how many different choices the given sessions measured beside the defaults."""
        wanted = set(sessions)
        own = (record for record in self.chains() if record.evidence.session in wanted and not record.default)
        return len({(record.chain_id, record.choice) for record in own})

    def sessions(self, network_id: str) -> set[str]:
        """Return the sessions that tuned this network on this CPU and ended by themselves."""
        return {
            record.evidence.session
            for record in self.known
            if isinstance(record, CutsRecord) and self._is_of(record, network_id)
        }


def measured_of(record: ChainRecord) -> Measured:
    """Return what was measured, as a record keeps it."""
    status = Status(record.status) if record.status in tuple(Status) else Status.UNBUILT
    return Measured(
        status, record.cost, record.ratio, record.spread, record.error, device=record.device,
        conditions=dict(record.evidence.conditions),
    )  # fmt: skip
