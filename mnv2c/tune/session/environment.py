"""What a session works with: the device of a URL, a pool of compiling processes, and the search."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mnv2c.records.best import NOTHING, SHIPPED, Best, best_of, warn_user
from mnv2c.records.folders import shipped_files
from mnv2c.records.record import ChainRecord
from mnv2c.records.store import read
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.measure.build import Builder
from mnv2c.tune.measure.pipeline import Builds, Built, Job
from mnv2c.tune.measure.workers import Workers
from mnv2c.tune.model.known import Known, known
from mnv2c.tune.model.search import Search
from mnv2c.tune.model.trees import load_xgboost

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.tune.devices.base import Device, Form
    from mnv2c.tune.session.chain_state import ChainState
    from mnv2c.tune.session.log import SessionLog
    from mnv2c.tune.session.tasks import TuningProblem
    from mnv2c.tune.space.task import Task


@dataclass(frozen=True, eq=False)
class SessionEnvironment:
    """What a session works with; tests have their own.

    ``open_device(url, target, allow_rpc)`` connects nothing yet. ``builder(device)`` is open as long as the session.
    ``begin(log, seed, task)`` returns a chain's state, with a search that knows the records.
    """

    open_device: Callable[[str, TuningProblem, bool], Device]
    builder: Callable[[Device], AbstractContextManager[Builds]]
    begin: Callable[[SessionLog, int, Task], ChainState]


def session_environment() -> SessionEnvironment:
    """Return what `run_session` works with; UserError where XGBoost is missing."""
    load_xgboost()
    return SessionEnvironment(_open, _builder, _Searches().begin)


def _open(url: str, problem: TuningProblem, allow_rpc: bool) -> Device:
    return open_device(url, problem.target, threads=problem.threads, allow_rpc=allow_rpc)


@contextmanager
def _builder(device: Device) -> Iterator[_Builders]:
    """Processes that compile, and this one, keep off the core that is measured on, if it is one of this machine."""
    core: int | None = getattr(device, "core", None) if device.url.startswith("local") else None
    with _keeping_off(core), Workers(avoid=core) as workers:
        workers.start()
        yield _Builders(device.form, workers)


@contextmanager
def _keeping_off(core: int | None) -> Iterator[None]:
    """Move this thread, and those that it begins, to the other cores, if there are any."""
    before = os.sched_getaffinity(0)
    if core is None or not before - {core}:
        yield
        return
    os.sched_setaffinity(0, before - {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(eq=False)
class _Builders:
    """A builder for each task: it keeps the task's default, and what is expected of it."""

    form: Form
    workers: Workers
    _of: dict[Chain, Builder] = field(default_factory=dict)

    def build(self, job: Job) -> Built:
        """See `pipeline.Builds`."""
        if job.task.chain not in self._of:
            self._of[job.task.chain] = Builder(job.task, self.form, self.workers)
        made = self._of[job.task.chain].build(job.choices, job.seconds)
        unbuilt = {job.choices[index]: measured for index, measured in made.failed.items()}
        return Built(made.batch, tuple(choice for choice in job.choices if choice not in unbuilt), unbuilt)


@dataclass(eq=False)
class _Searches:
    """Makes the searches of a session, all of which know the same records.

    The user's own are trials. The shipped ones come from another CPU, or another of the same kind: they say what to
    measure first, and teach the model where they are in the same unit.
    """

    _known: list[Known] | None = None
    _elsewhere: list[Known] = field(default_factory=list)
    _best: Best = NOTHING
    _peers: list[Search] = field(default_factory=list)

    def begin(self, log: SessionLog, seed: int, task: Task) -> ChainState:
        """Return a chain's state, with a search that is warm from all records of the CPU."""
        if self._known is None:
            self._known = known(log.chains(), task.target)
            self._read_shipped(log, task)
        kept = self._best.choice(task.chain)
        first = () if kept is None else (kept[0],)
        return log.state(task, Search(task, seed, self._known, self._elsewhere, first, self._peers))

    def _read_shipped(self, log: SessionLog, task: Task) -> None:
        entry, threads = log.origin.entry, log.origin.threads
        found = read([path for _, path in shipped_files(entry)], warn_user)
        shipped = [replace(record, target=entry) for record in found if isinstance(record, ChainRecord)]
        self._elsewhere = known((record for record in shipped if record.unit == log.origin.unit), task.target)
        self._best = best_of([(SHIPPED, shipped)], [entry], threads)
