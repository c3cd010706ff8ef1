"""Keeps the builder and the device busy: while one batch of candidates is measured the next is built.

Batches are begun and finished in one order, whichever is done first, so that what a search is told, and when, depends
on nothing but what was measured. What was measured is kept the moment it is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mnv2c.errors import Mnv2cError
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.schedule.choice import Choice
    from mnv2c.tune.devices.base import Batch, Device
    from mnv2c.tune.space.task import Task


@dataclass(frozen=True)
class Job:
    """Choices of one task to build and measure together, each for at most ``seconds``.

    A session ``confirms`` its best choices, and ``weighs`` plans by defaults that it has on record already.
    """

    task: Task
    choices: tuple[Choice, ...]
    seconds: float
    confirms: bool = False
    weighs: bool = False


@dataclass(frozen=True)
class Built:
    """What a builder made of a job: a batch whose numbers stand for ``built``, and what became of the others."""

    batch: Batch | None
    built: tuple[Choice, ...]
    unbuilt: dict[Choice, Measured] = field(default_factory=dict)


class Builds(Protocol):
    """Makes a job ready for the device."""

    def build(self, job: Job) -> Built:
        """Build and link; a candidate that cannot be built is a result."""
        ...


Results = tuple[tuple["Choice", Measured], ...]
"""What became of the choices of a job, in their order."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """``measured`` gets every job's results as soon as they are known, ``finished`` in the order of the jobs."""

    builder: Builds
    device: Device
    measured: Callable[[Job, Results], None]
    finished: Callable[[Job, Results], None]

    @property
    def depth(self) -> int:
        """Jobs under way at once: each lane measures one while its next one is built."""
        return 2 * self.device.lanes

    def run(self, next_job: Callable[[], Job | None]) -> None:
        """Run jobs until there is no next one and all have finished; an exception ends what was begun."""
        with _executor(1) as building, _executor(self.device.lanes) as measuring:
            _Run(self, building, measuring, next_job).loop()


@contextmanager
def _executor(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that is not waited for where the work is given up."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@dataclass(eq=False)
class _Flight:
    """A job under way: first it is built, then measured."""

    job: Job
    building: Future[Built]
    measuring: Future[Results] | None = None
    kept: bool = False

    @property
    def awaited(self) -> Future[Built] | Future[Results]:
        return self.building if self.measuring is None else self.measuring


@dataclass(eq=False)
class _Run:
    pipeline: Pipeline
    building: ThreadPoolExecutor
    measuring: ThreadPoolExecutor
    next_job: Callable[[], Job | None]
    flights: deque[_Flight] = field(default_factory=deque)

    def loop(self) -> None:
        self._begin()
        while self.flights:
            open_ones: list[Future[Any]] = [flight.awaited for flight in self.flights if not flight.kept]
            wait(open_ones, return_when=FIRST_COMPLETED)
            for flight in list(self.flights):
                self._advance(flight)
                self._finish()  # before the next one, which may have failed: what is on record has then been told

    def _begin(self) -> None:
        """Begin as many jobs as there is room for."""
        while len(self.flights) < self.pipeline.depth and (job := self.next_job()) is not None:
            self.flights.append(_Flight(job, self.building.submit(_build, self.pipeline.builder, job)))

    def _advance(self, flight: _Flight) -> None:
        if flight.measuring is None:
            if flight.building.done():
                built = flight.building.result()
                flight.measuring = self.measuring.submit(_measure, self.pipeline.device, flight.job, built)
        elif flight.measuring.done() and not flight.kept:
            results = flight.measuring.result()
            flight.kept = True
            self.pipeline.measured(flight.job, results)

    def _finish(self) -> None:
        """Finish what is kept, up to the first that is not.

        Each is followed by what there is room for then, before the next is looked at: otherwise it would depend on
        which of two ended first what is known when a job is chosen.
        """
        while self.flights and self.flights[0].kept:
            flight = self.flights.popleft()
            assert flight.measuring is not None
            self.pipeline.finished(flight.job, flight.measuring.result())
            self._begin()


def _build(builder: Builds, job: Job) -> Built:
    try:
        return builder.build(job)
    except Mnv2cError as error:
        return Built(None, (), {choice: Measured(Status.UNBUILT, detail=str(error)) for choice in job.choices})


def _measure(device: Device, job: Job, built: Built) -> Results:
    found = dict(built.unbuilt)
    if built.batch is not None:
        found |= dict(zip(built.built, _answers(device, built.batch), strict=True))
    return tuple((choice, found[choice]) for choice in job.choices)


def _answers(device: Device, batch: Batch) -> Sequence[Measured]:
    try:
        return device.measure(batch)
    except Mnv2cError as error:
        return [Measured(Status.LOST, detail=str(error)) for _ in batch.numbers]
