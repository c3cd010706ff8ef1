"""A board with a shell and nothing else: the measuring program is pushed, run, and removed again.

How commands and files get there is a ``Shell``; ssh and adb are two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from mnv2c.errors import DeviceError
from mnv2c.tune.devices import scripts
from mnv2c.tune.devices.address import Address
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.base import Batch, Form, Machine
from mnv2c.tune.devices.facts import Facts, read_facts
from mnv2c.tune.devices.process import Finished
from mnv2c.tune.devices.retry import FullError, KilledError, Patience, UnreachableError, silence
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.targets import Target

SECONDS = 60.0
"""Limit of a command that only looks or tidies up."""

GOODBYE = 10.0
"""The same at the end of the session, when the device may be gone for good."""

SLOWEST = 100_000
"""Bytes per second: the slowest connection over which a program is still sent."""

FULL = ("No space left on device", "Disk quota exceeded", "Disc quota exceeded", "ENOSPC")

RUNS = {
    "aarch64": {"aarch64", "arm64"},
    "arm": {"armv7l", "armv8l", "aarch64", "arm64"},
    "x86_64": {"x86_64", "amd64"},
}
"""What ``uname -m`` says where programs for an architecture run, by the architecture of a target."""


class Shell(Protocol):
    """A way to a board. Everything raises UnreachableError where there is none, DeviceError where trying is no use."""

    folder: str
    """Where private folders go unless the URL says otherwise."""

    def connect(self, last_words: str) -> None:
        """Connect, or connect again; ``last_words`` may be run on the board when the connection ends in any way."""
        ...

    def run(self, script: str, *, limit: float, on_line: Callable[[str], None] | None = None) -> Finished:
        """Run a script of ``scripts``; the status is the script's own."""
        ...

    def push(self, content: bytes, folder: str, *, limit: float) -> Finished:
        """Store a program in ``folder`` as ``scripts.take`` does."""
        ...

    def disconnect(self) -> None:
        """Close whatever is open; raises nothing."""
        ...


class BoardDevice:
    """The board at ``address`` for programs of ``target``; see ``base.Device``."""

    form = Form.EXECUTABLE
    unit = "s"
    lanes = 1

    def __init__(self, address: Address, target: Target, shell: Shell, patience: Patience) -> None:
        self.url = address.url
        self._core = address.core
        self._parent = address.path or shell.folder
        self._target = target
        self._shell = shell
        self._patience = patience
        self._lock = threading.Lock()
        self._folder = ""
        self._made: set[str] = set()
        self._ready = False
        self._closed = False
        self._stored: bytes | None = None
        self._facts = Facts()

    def __enter__(self) -> Self:
        """Connect and tidy up; DeviceError where that is impossible, or the board is not what ``target`` says."""
        try:
            self._patience.open(self._prepare)
            self._check_architecture()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what was put on the board and disconnect; batches that are measured meanwhile are lost."""
        self._closed = True
        self._patience.stop.set()
        with self._lock:  # A batch in another thread ends at once: nothing waits any more.
            self._close()

    def machine(self) -> Machine:
        """What the board said of itself when it was connected."""
        return self._facts.machine

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """See ``base.Device``."""

        def attempt(numbers: Sequence[int], found: Callable[[int, Measured], None]) -> None:
            try:
                self._attempt(batch, numbers, found)
            except KilledError:
                self._stored = None  # Nothing is wrong with the connection.
                raise
            except DeviceError:
                self._ready = False  # Whatever went wrong: the next attempt begins with a new folder.
                raise

        with self._lock:
            if self._closed:
                return [Measured(Status.LOST, detail="the session is over") for _ in batch.numbers]
            return self._patience.measure(batch.numbers, attempt)

    def _attempt(self, batch: Batch, numbers: Sequence[int], found: Callable[[int, Measured], None]) -> None:
        if not self._ready:
            self._prepare()
        if self._stored is not batch.content:
            self._push(batch.content)

        core = self._facts.last_core if self._core is None else self._core
        arguments = f"{batch.limit:g} {core} {' '.join(map(str, numbers))}"
        lines: list[str] = []
        try:
            command = scripts.measure(self._folder, arguments)
            done = self._shell.run(command, limit=silence(batch.limit), on_line=lines.append)
        finally:  # Whatever has arrived counts.
            missing = pick(lines, numbers, self.url, found)
        if done.status != 0:
            raise KilledError(f"the measuring program ended: {done.reason}")
        if missing:
            raise UnreachableError(f"no answer for candidate {missing[0]}")

    def _prepare(self) -> None:
        """Connect, remove what sessions left behind, look around, make the private folder."""
        self._ready, self._stored = False, None
        self._folder = f"{self._parent}/{scripts.fresh_name()}"
        self._shell.connect(scripts.remove(self._folder))
        for name in self._shell.run(scripts.find(self._parent), limit=SECONDS).output.split():
            path = f"{self._parent}/{name}"
            if path in self._made or scripts.is_left_over(name):
                self._shell.run(scripts.remove(path), limit=SECONDS)
        self._facts = read_facts(self._shell.run(scripts.FACTS, limit=SECONDS).output)
        self._made.add(self._folder)
        made = self._shell.run(scripts.make(self._folder), limit=SECONDS)
        if made.status == scripts.NOT_EXECUTABLE:
            raise DeviceError(
                f"{self.url}: no program may run in {self._parent}; give another folder: {self._example()}"
            )
        self._check(made, f"no folder can be made in {self._parent}; give another one: {self._example()}")
        self._ready = True

    def _push(self, content: bytes) -> None:
        self._stored = None
        self._shell.run(scripts.stop(self._folder), limit=SECONDS)
        limit = SECONDS + len(content) / SLOWEST
        self._check(self._shell.push(content, self._folder, limit=limit), f"nothing can be stored in {self._parent}")
        self._stored = content

    def _check(self, done: Finished, wrong: str) -> None:
        if done.status == 0:
            return
        if any(text in done.errors for text in FULL):
            raise FullError(f"no room left in {self._parent}: make some, or give another folder: {self._example()}")
        raise DeviceError(f"{self.url}: {wrong} ({done.reason})")

    def _check_architecture(self) -> None:
        arch = self._target.arch
        if self._facts.architecture and self._facts.architecture not in RUNS.get(arch, {arch}):
            raise DeviceError(
                f"{self.url}: the CPU there is {self._facts.architecture}, but {self._target.name} is for {arch}; "
                f"name its own target with --target"
            )

    def _example(self) -> str:
        return f"{self.url.split('?')[0].removesuffix(self._parent)}/path/to/folder"

    def _close(self) -> None:
        self._patience.stop.clear()  # It would end the tidying up, too.
        try:
            for folder in sorted(self._made):
                self._shell.run(scripts.remove(folder), limit=GOODBYE)
                self._made.remove(folder)
        except DeviceError as error:
            self._patience.warn(f"{self.url}: {error}; {min(self._made)} may be left there until the next session")
        finally:
            self._folder, self._ready = "", False
            self._shell.disconnect()


def pick(lines: Sequence[str], numbers: Sequence[int], url: str, found: Callable[[int, Measured], None]) -> list[int]:
    """Hand over what ``lines`` of the measuring program say about ``numbers``; the numbers of which they say nothing.

    A candidate for which the program itself found no process counts among these.
    """
    results = zip(numbers, read_answers("\n".join(lines), numbers, url), strict=True)
    missing = []
    for number, result in results:
        if result.status == Status.LOST:
            missing.append(number)
        else:
            found(number, result)
    return missing
