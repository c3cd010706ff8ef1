"""What the search asks of a device, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from mnv2c.tune.space.task import Measured


class Form(StrEnum):
    """What a device runs: a static program, or a shared library that TVM's RPC server loads."""

    EXECUTABLE = "executable"
    SHARED = "shared"


@dataclass(frozen=True)
class Batch:
    """Candidates of one task, built and linked: ``content`` in the device's form, with the default as number 0.

    ``numbers`` are those of the candidates to measure; ``limit`` is the most seconds that one may take.
    """

    content: bytes
    numbers: tuple[int, ...]
    limit: float


@dataclass(frozen=True)
class Machine:
    """What a device says of itself: ``cpu`` for people and records, cores, system; empty where nothing is readable."""

    cpu: str
    cores: int
    system: str = ""


class Device(Protocol):
    """A place to measure on; opened once per session, closed at its end, whatever happens between."""

    url: str
    form: Form
    unit: str
    """Of costs: "s", or "cost" for an emulator's sum of instructions and weighted misses."""
    lanes: int
    """Batches that may be measured at the same time: boards behind a tracker, processes of an emulator, else 1."""

    def __enter__(self) -> Self:
        """Connect; DeviceError, with the remedy, where that is impossible."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what was put on the device and disconnect."""
        ...

    def machine(self) -> Machine:
        """Describe the device."""
        ...

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """Measure each of ``batch.numbers``, in order; callable from as many threads as there are ``lanes``.

        A candidate that crashes, hangs or computes wrong numbers is a result; a device that goes away is tried again,
        and then gives `Status.LOST` for what is left.
        """
        ...
