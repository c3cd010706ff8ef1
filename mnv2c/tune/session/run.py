"""``mnv2c tune``: a model is planned, its chains are searched on a device, and what was found is kept as records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.common.version import __version__
from mnv2c.errors import UserError
from mnv2c.tune.session import checkpoint, replan
from mnv2c.tune.session.checkpoint import Checkpoint, Options
from mnv2c.tune.session.log import Origin, SessionLog
from mnv2c.tune.session.result import Tuned
from mnv2c.tune.session.session import Limits, Plan, Session

if TYPE_CHECKING:
    from mnv2c.tune.devices.base import Device, Machine
    from mnv2c.tune.session.environment import SessionEnvironment
    from mnv2c.tune.session.standing import Watch
    from mnv2c.tune.session.tasks import TuningProblem

TRIALS = 300
"""Enough for the chains of one network to converge, or nearly."""
LOCAL = "local"


@dataclass(frozen=True)
class Asked:
    """What the user said of a session; None where nothing was said. See `mnv2c.tune.session.entry`."""

    model: str
    target: str = "host"
    device: str | None = None
    trials: int | None = None
    minutes: float | None = None
    seed: int | None = None
    resume: bool = False
    allow_rpc: bool = False
    schedules: str | Path | None = None

    def check(self) -> None:
        """Raise UserError for numbers that make no sense, before any work is done."""
        if self.trials is not None and self.trials < 1:
            raise UserError(f"trials {self.trials}: give a number of at least 1")
        if self.minutes is not None and not 0 < self.minutes < inf:
            raise UserError(f"minutes {self.minutes:g}: give a number above 0")


def run_session(
    problem: TuningProblem,
    asked: Asked,
    watch: Watch = lambda standing: None,
    environment: SessionEnvironment | None = None,
) -> Tuned:
    """Search, cut and confirm on the device; everything measured is on record whenever and however this ends.

    UserError for what cannot be resumed or opened, or is tuned by another session; DeviceError for a device that cannot
    be reached.
    """
    if environment is None:
        from mnv2c.tune.session.environment import session_environment

        environment = session_environment()
    path = _place(problem, asked)
    if asked.resume:
        checkpoint.load(path)  # what cannot be gone on with leaves nothing behind
    with checkpoint.alone(path):
        kept = _session(problem, asked, path)
        with environment.open_device(asked.device or kept.options.device, problem, asked.allow_rpc) as device:
            return _Run(problem, kept, device, environment, asked, watch).result()


def _place(problem: TuningProblem, asked: Asked) -> Path:
    from mnv2c.records.folders import own_file
    from mnv2c.schedule.identity import network_id

    records = own_file(problem.target.entry, asked.schedules)
    return checkpoint.place(records, network_id(problem.network), problem.threads)


def _session(problem: TuningProblem, asked: Asked, path: Path) -> Checkpoint:
    """The interrupted session that is gone on with, where it was asked for, or a new one."""
    from mnv2c.records.record import public_url

    url = public_url(asked.device or LOCAL)
    trials, seed = asked.trials or TRIALS, asked.seed or 0
    fresh = Options(asked.model, asked.target, url, problem.threads, trials, asked.minutes, seed)
    labels = tuple(task.label for task in problem.tasks(problem.cuts))
    if not asked.resume:
        return Checkpoint(path, checkpoint.new_session(), fresh, labels)
    found = checkpoint.load(path)
    said: dict[str, Any] = {
        "device": asked.device and url,
        "trials": asked.trials,
        "minutes": asked.minutes,
        "seed": asked.seed,
    }
    options = replace(found.options, **{name: value for name, value in said.items() if value is not None})
    if found.ended:
        return Checkpoint(path, checkpoint.new_session(), options, labels)
    return replace(found, options=options, chains=labels)


@dataclass(eq=False)
class _Run:
    """A session with everything it needs, on a device that is open."""

    problem: TuningProblem
    kept: Checkpoint
    device: Device
    environment: SessionEnvironment
    asked: Asked
    watch: Watch

    def result(self) -> Tuned:
        """Run the session to its end, or until Ctrl-C."""
        from mnv2c.schedule.identity import network_id

        machine, identity = self.device.machine(), network_id(self.problem.network)
        log = self._log(machine)
        before = log.spent(log.sessions(identity) - {self.kept.session})
        self.kept.reached(self.kept.phase, self.kept.seconds)
        session, interrupted = self._session(log, before), False
        try:
            with self.environment.builder(self.device) as builder:
                plan = session.run(builder)
        except KeyboardInterrupt:
            plan, interrupted = Plan(self.problem.cuts, False), True
        found = self._found(session, plan, machine, before, interrupted)
        if found.cost is not None and found.default_cost is not None and not found.ended:
            log.cut(identity, self.problem.title, plan, found.cost, found.default_cost, session.trials)
        return found

    def _session(self, log: SessionLog, before: int) -> Session:
        """``before`` trials of those asked for were measured by earlier sessions."""
        options = self.kept.options
        return Session(
            problem=self.problem,
            device=self.device,
            log=log,
            begin=lambda task: self.environment.begin(log, options.seed, task),
            limits=Limits(max(0, options.trials - before), options.minutes and options.minutes * 60),
            watch=self.watch,
            peak=log.origin.peak,
            trials=log.spent([self.kept.session]),
            elapsed=self.kept.seconds,
        )

    def _log(self, machine: Machine) -> SessionLog:
        from importlib.metadata import version

        from mnv2c.codegen.object import llvm_version
        from mnv2c.records.best import warn_user
        from mnv2c.records.record import Evidence, public_url
        from mnv2c.records.store import read_file

        target = self.problem.target
        evidence = Evidence(
            cpu=machine.cpu,
            mcpu=target.mcpu,
            tvm=version("apache-tvm"),
            llvm=llvm_version(),
            mnv2c=__version__,
            seed=self.kept.options.seed,
            session=self.kept.session,
        )
        unit, url = self.device.unit, public_url(self.device.url)
        origin = Origin(target.entry, self.problem.threads, unit, url, evidence, self._peak())
        return SessionLog(self.file, origin, self.kept, read_file(self.file, warn_user))

    def _peak(self) -> float | None:
        """Known of this machine only."""
        if self.device.url.split(":")[0].split("?")[0] != LOCAL:
            return None
        from mnv2c.tune.measure.peak import peak

        return peak(self.problem.target, self.problem.threads)

    def _found(self, session: Session, plan: Plan, machine: Machine, before: int, interrupted: bool) -> Tuned:
        default, tuned = session.default_costs(), session.costs()
        first, names = self.problem.cuts, self.problem.tasks(plan.cuts)
        whole = all(task.chain in default for task in (*self.problem.tasks(first), *names))
        begun = [session.states[task.chain] for task in names if task.chain in session.states]  # Ctrl-C may come early
        cost = replan.cost_of(self.problem, plan.cuts, tuned) if whole else None
        peak, madds = session.peak, sum(task.times * task.chain.madds for task in names)
        return Tuned(
            name=self.problem.title,
            summary=self.problem.summary,
            target=self.problem.target.name,
            device=self.kept.options.device,
            cpu=machine.cpu,
            threads=self.problem.threads,
            unit=self.device.unit,
            trials=session.trials,
            known=before,
            weighed=session.weighed,
            seconds=session.seconds,
            cost=cost,
            default_cost=replan.cost_of(self.problem, first, default) if whole else None,
            peak_share=madds / cost / peak if cost and peak else None,
            recut=plan.recut,
            chains=tuple(state.standing(peak, True) for state in begun),
            notes=tuple(session.notes),
            file=self.file,
            ended="interrupted" if interrupted else session.given_up,
            interrupted=interrupted,
        )

    @property
    def file(self) -> Path:
        """Where the records go."""
        from mnv2c.records.folders import own_file

        return own_file(self.problem.target.entry, self.asked.schedules)
