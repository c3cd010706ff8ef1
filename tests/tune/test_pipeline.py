"""Building and measuring overlap; results come in order, and are kept the moment they are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from mnv2c.errors import DeviceError, LinkerError
from mnv2c.tune.devices.base import Batch
from mnv2c.tune.measure.pipeline import Built, Job, Pipeline, Results
from mnv2c.tune.space.task import Measured, Status
from tests.tune.session_fakes import FakeBuilder, FakeDevice, number_of, numbered, problem

TASK = problem().tasks(problem().cuts)[0]
STEP = 0.1


@dataclass
class SlowBuilder(FakeBuilder):
    """Takes its time, and notes when."""

    spans: list[tuple[float, float]] = field(default_factory=list)

    def build(self, job: Job) -> Built:
        begin = time.monotonic()
        time.sleep(STEP)
        self.spans.append((begin, time.monotonic()))
        return super().build(job)


@dataclass
class SlowDevice(FakeDevice):
    """Takes its time, for the first batch most, and notes when."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    most: int = 0
    _begun: int = 0
    _inside: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._begun += 1
            first = self._begun == 1
        begin = time.monotonic()
        time.sleep(STEP * (4 if first else 1))
        self.spans.append((begin, time.monotonic()))
        with self._lock:
            self._inside -= 1
        return super().measure(batch)


def jobs(count: int) -> Iterator[Job]:
    return (Job(TASK, (numbered(TASK, number),), 1.0) for number in range(count))


def run(device: FakeDevice, builder: FakeBuilder, count: int) -> tuple[list[int | None], list[int | None]]:
    """The numbers of the choices in the order in which they were kept, and in which they were finished."""
    kept: list[int | None] = []
    finished: list[int | None] = []
    left = jobs(count)

    def note(into: list[int | None], results: Results) -> None:
        into.append(number_of(results[0][0]))

    Pipeline(builder, device, lambda job, found: note(kept, found), lambda job, found: note(finished, found)).run(
        lambda: next(left, None)
    )
    return kept, finished


def test_the_next_batch_is_built_while_one_is_measured() -> None:
    device, builder = SlowDevice(), SlowBuilder()
    assert run(device, builder, 4) == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert device.most == 1, "one lane measures one batch at a time"
    for (begin, _), (_, end) in zip(builder.spans[1:], device.spans, strict=False):
        assert begin < end, "it was begun before the batch in front of it was measured"


def test_lanes_measure_at_once_and_results_are_finished_in_order() -> None:
    device = SlowDevice(lanes=2)
    kept, finished = run(device, FakeBuilder(), 4)
    assert device.most == 2
    assert kept[0] != 0, "the first batch takes longest, and others are kept before it"
    assert finished == [0, 1, 2, 3]


def test_nothing_to_do_is_no_error() -> None:
    assert run(FakeDevice(), FakeBuilder(), 0) == ([], [])


def test_a_builder_that_fails_and_a_device_that_is_gone_are_results() -> None:
    class Failing(FakeBuilder):
        def build(self, job: Job) -> Built:
            raise LinkerError("no linker")

    class Gone(FakeDevice):
        def measure(self, batch: Batch) -> Sequence[Measured]:
            raise DeviceError("no route")

    assert outcome(FakeDevice(), Failing()) == (Status.UNBUILT, "no linker")
    assert outcome(Gone(), FakeBuilder()) == (Status.LOST, "no route")


def outcome(device: FakeDevice, builder: FakeBuilder) -> tuple[Status, str]:
    """What became of a single choice."""
    found: list[Results] = []
    left = jobs(1)
    Pipeline(builder, device, lambda job, results: None, lambda job, results: found.append(results)).run(
        lambda: next(left, None)
    )
    ((_, measured),) = found[0]
    return measured.status, measured.detail


def test_a_mistake_in_the_program_is_not_swallowed() -> None:
    class Broken(FakeDevice):
        def measure(self, batch: Batch) -> Sequence[Measured]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Broken(), FakeBuilder(), 3)


@dataclass
class UnevenDevice(FakeDevice):
    """One of its batches takes much longer than the others."""

    slowest: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def measure(self, batch: Batch) -> Sequence[Measured]:
        with self._lock:
            self.batches += 1
            slow = self.batches == self.slowest + 1
        time.sleep(2 * STEP if slow else 0.0)
        return [Measured(Status.OK, 1.0, 1.0)]


@pytest.mark.parametrize("slowest", range(4))
def test_what_is_known_when_a_job_is_chosen_does_not_depend_on_which_ends_first(slowest: int) -> None:
    events: list[str] = []
    left = jobs(8)

    def choose() -> Job | None:
        job = next(left, None)
        events.append("nothing to choose" if job is None else f"{number_of(job.choices[0])} chosen")
        return job

    def finish(job: Job, results: Results) -> None:
        events.append(f"{number_of(results[0][0])} finished")

    device = UnevenDevice(lanes=2, slowest=slowest)
    Pipeline(device=device, builder=FakeBuilder(), measured=lambda job, results: None, finished=finish).run(choose)
    expected = [f"{number} chosen" for number in range(4)]
    for number in range(8):
        expected += [f"{number} finished", f"{number + 4} chosen" if number < 4 else "nothing to choose"]
    assert events == expected
