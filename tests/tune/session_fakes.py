"""A network, a device, a builder and a search made up for tests: what a choice costs follows from its number alone."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from mnv2c import targets
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.plan.join import joined
from mnv2c.plan.network import ChainNode, Network, Node, Tensor
from mnv2c.planner.cuts import Candidate, Option, Planner
from mnv2c.records.record import ChainRecord, CutsRecord
from mnv2c.records.store import read_file
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.record import ChainSchedule, Tile
from mnv2c.tune.devices.base import Batch, Form, Machine
from mnv2c.tune.measure.pipeline import Built, Job
from mnv2c.tune.session.chain_state import ChainState
from mnv2c.tune.session.environment import SessionEnvironment
from mnv2c.tune.session.log import SessionLog
from mnv2c.tune.session.run import Asked
from mnv2c.tune.session.tasks import TuningProblem
from mnv2c.tune.space.task import Measured, Status, Task

CHANNELS = (8, 8, 8, 16, 16, 24)
"""Of the tensors of a line of five chains, of which the first two are equal."""
CHOICES = 24
"""Of every chain, beside its default."""


def problem(scratch: int = 0) -> TuningProblem:
    """Five pointwise convolutions in a line; joins of two are predicted to take a little longer than both apart.

    They take ``scratch`` bytes of memory.
    """
    nodes: list[Node] = []
    for index, (inputs, outputs) in enumerate(pairwise(CHANNELS)):
        stage = Stage("conv", StageKind.POINTWISE, ("input_0",), Shape(4, 4, outputs))
        chain = Chain("conv", (Shape(4, 4, inputs),), (stage,), ("conv",))
        nodes.append(ChainNode(f"n{index}", chain, {}, (f"t{index}",), (f"t{index + 1}",)))
    tensors = {f"t{index}": Tensor(f"t{index}", (1, 4, 4, size), "float32") for index, size in enumerate(CHANNELS)}
    network = Network(tensors, tuple(nodes), ("t0",), (f"t{len(nodes)}",))

    def options(first: int, last: int) -> Sequence[Option]:
        chain = joined(network, first, last).chain
        schedule = ChainSchedule(1, 0, tuple(Tile(1, 1, 4) for _ in chain.stages), (), False)
        layout: Any = SimpleNamespace(chain=chain, schedule=schedule)
        room = (scratch,) if scratch and last > first else ()
        return [Option(chain.madds * (1.02 if last > first else 1.0), room, candidate=Candidate(layout))]

    planner = Planner(network, options, longest=2)
    cuts = planner.fastest()
    assert cuts is not None
    return TuningProblem("net", "a net", network, planner, cuts, targets.load("x86-64-v3"))


FAKED = 20
"""Deeper than any default is unrolled: choice n is unrolled by so much and n more."""


def numbered(task: Task, number: int) -> Choice:
    """One of a task's choices, told apart by how deep its loops are unrolled."""
    tiles = tuple(replace(tile, unroll=FAKED + number) for tile in task.default.schedule.tiles)
    return replace(task.default, schedule=replace(task.default.schedule, tiles=tiles))


def number_of(choice: Choice) -> int | None:
    """The number of a choice; None for a default."""
    unroll = choice.schedule.tiles[0].unroll
    return unroll - FAKED if unroll >= FAKED else None


def true_ratio(task: Task, number: int | None) -> float:
    """What a choice takes of its default's time: 0.75 to 1.25, but for n2 and n3, whose defaults are the best."""
    if number is None:
        return 1.0
    digest = hashlib.sha256(f"{task.label} {number}".encode()).digest()
    return (1.0 if task.label in ("n2", "n3") else 0.75) + digest[0] / 512


def true_cost(chain: Chain) -> float:
    """Seconds of a default: 1 ns per multiply-add, but a quarter less where n2 and n3 are joined."""
    joined_channels = [stage.shape.channels for stage in chain.stages]
    return chain.madds * (0.75e-9 if joined_channels == [16, 16] else 1e-9)


@dataclass
class FakeSearch:
    """Proposes the numbers one after the other."""

    task: Task
    left: list[int]
    told: int = 0

    def propose(self, count: int) -> list[Choice]:
        now, self.left = self.left[:count], self.left[count:]
        return [numbered(self.task, number) for number in now]

    def tell(self, choice: Choice, measured: Measured) -> None:
        self.told += 1

    @property
    def done(self) -> bool:
        return not self.left

    @property
    def expected_gain(self) -> float:
        return 1 / (1 + self.told)


@dataclass
class FakeBuilder:
    """The content of a batch is what its candidates will be found to take.

    ``cached`` is what n2 and n3, joined, take of the time that they take apart if their weights are in a cache. Where
    new cuts are weighed, joined they take ``later`` of what they took before.
    """

    statuses: dict[tuple[str, int], Status] = field(default_factory=dict)
    noise: float = 0.0
    cached: float | None = None
    later: float = 1.0
    weighed: list[str] = field(default_factory=list)

    def build(self, job: Job) -> Built:
        entries, unbuilt = [], {}
        built = []
        for choice in job.choices:
            number = number_of(choice)
            status = self.statuses.get((job.task.label, -1 if number is None else number), Status.OK)
            if status == Status.UNBUILT:
                unbuilt[choice] = Measured(status, detail="too long to compile")
                continue
            cost, ratio = true_cost(job.task.chain), true_ratio(job.task, number)
            if job.weighs:
                self.weighed.append(job.task.label)
                cost *= self.later if cost < job.task.chain.madds * 1e-9 else 1.0
            entry = {"status": status, "cost": cost * ratio, "ratio": ratio, "spread": self.noise}
            if self.cached is not None:
                joined_share = self.cached if cost < job.task.chain.madds * 1e-9 else 1.0
                entry["default_costs"] = [cost, job.task.chain.madds * 1e-9 * joined_share]
            entries.append(entry)
            built.append(choice)
        content = json.dumps(entries).encode()
        batch = Batch(content, tuple(range(1, len(built) + 1)), job.seconds) if built else None
        return Built(batch, tuple(built), unbuilt)


@dataclass
class FakeDevice:
    """Answers what the batch says, after ``seconds`` per candidate; it is gone for the batches in ``gone``."""

    url: str = "made-up://"
    form: Form = Form.EXECUTABLE
    unit: str = "cost"
    lanes: int = 1
    seconds: float = 0.0
    gone: frozenset[int] = frozenset()
    batches: int = 0
    closed: bool = False
    interrupt_at: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closed = True

    def machine(self) -> Machine:
        return Machine("a CPU", 2)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        self.batches += 1
        if self.batches == self.interrupt_at:
            raise KeyboardInterrupt
        entries = json.loads(batch.content)
        time.sleep(self.seconds * len(entries))
        if self.batches in self.gone:
            return [Measured(Status.LOST, detail="unplugged") for _ in entries]
        return [_answer(entry) for entry in entries]


def _answer(entry: dict[str, Any]) -> Measured:
    status = Status(entry["status"])
    if status != Status.OK:
        return Measured(status, detail=f"made up: {status}")
    costs = (entry["cost"],) * 20
    conditions = {name: entry[name] for name in ("default_costs",) if name in entry}
    return Measured(
        status, entry["cost"], entry["ratio"], entry["spread"], 1e-6, costs, device="fake", conditions=conditions
    )


def environment(device: FakeDevice, builder: FakeBuilder | None = None, choices: int = CHOICES) -> SessionEnvironment:
    """Everything made up; the search leaves out what is on record."""

    def begin(log: SessionLog, seed: int, task: Task) -> ChainState:
        search = FakeSearch(task, [])
        state = log.state(task, search)
        search.left = [number for number in range(choices) if numbered(task, number) not in state.tried]
        return state

    return SessionEnvironment(
        lambda url, problem, allowed: device, lambda opened: nullcontext(builder or FakeBuilder()), begin
    )


def asked(folder: Path, **said: Any) -> Asked:
    """What a user says; the records go to ``folder``."""
    return Asked("net", "x86-64-v3", schedules=folder, **said)


def records(folder: Path) -> tuple[list[ChainRecord], list[CutsRecord]]:
    """All records of chains, and of cuts; none may be broken."""

    def fail(text: str) -> None:
        raise AssertionError(text)

    found = read_file(folder / "x86-64-v3.jsonl", fail)
    chains = [record for record in found if isinstance(record, ChainRecord)]
    return chains, [record for record in found if isinstance(record, CutsRecord)]
