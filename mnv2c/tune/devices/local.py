"""This machine: ``local``, or ``local?core=N`` to run on core N, and those before it where threads share the work."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mnv2c.errors import DeviceError, UserError
from mnv2c.targets.host import detect
from mnv2c.tune.devices.address import ANY_CORE, read_address
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.base import Batch, Form, Machine
from mnv2c.tune.devices.private import clear, private_folder

if TYPE_CHECKING:
    from mnv2c.targets import Target
    from mnv2c.tune.space.task import Measured

CPUINFO = Path("/proc/cpuinfo")
SLACK = 30.0
"""Seconds more than its candidates may take until a batch is given up: the program itself ends every one of them."""


def last_core() -> int:
    """The last of the cores that this process may run on; it has least of the system's work to do."""
    return max(os.sched_getaffinity(0))


def cpu_name(text: str) -> str:
    """What ``/proc/cpuinfo`` calls the CPU; empty where it has no name, as on ARM."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "Model"):
            return value.strip()
    return ""


class LocalDevice:
    """This machine; ``core`` is the last that candidates run on, None for the last there is."""

    form = Form.EXECUTABLE
    unit = "s"
    lanes = 1

    def __init__(self, target: Target, core: int | None = None) -> None:
        _check(target)
        self.url = "local" if core is None else f"local?core={core}"
        self.core = last_core() if core is None else core
        self._folder: Path | None = None
        self._left = ExitStack()

    def __enter__(self) -> Self:
        """Make a private folder for the programs, and end what a killed session left; DeviceError without a folder."""
        clear()
        try:
            self._folder = self._left.enter_context(private_folder())
        except OSError as error:
            raise DeviceError(f"local: no folder for programs: {error.strerror}; set TMPDIR") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the folder."""
        self._folder = None
        self._left.close()

    def machine(self) -> Machine:
        """Describe this machine."""
        found = detect()
        try:
            name = cpu_name(CPUINFO.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            name = ""
        return Machine(name or found.arch, found.cores, f"{platform.system()} {platform.release()}")

    def measure(self, batch: Batch) -> list[Measured]:
        """Measure each of ``batch.numbers``, in order; DeviceError where the program cannot be started."""
        if self._folder is None:
            raise DeviceError("local: not opened; use the device as a context")
        program = self._folder / "measure"
        program.write_bytes(batch.content)
        program.chmod(0o700)
        command = [str(program), f"{batch.limit:g}", str(self.core), *map(str, batch.numbers)]
        text = _output(command, batch.limit * len(batch.numbers) + SLACK)
        return read_answers(text, batch.numbers, self.url)


def _output(command: list[str], limit: float) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as error:
        partial = error.stdout or b""
        return partial.decode(errors="replace") if isinstance(partial, bytes) else partial
    except OSError as error:
        raise DeviceError(
            f"local: the measuring program cannot be started: {error.strerror}; set TMPDIR to a folder where "
            f"programs may run"
        ) from error
    return done.stdout


def _check(target: Target) -> None:
    machine = detect()
    if target.arch != machine.arch:
        raise DeviceError(
            f"local: target {target.name} is {target.arch}, but this machine is {machine.arch}; measure on a board "
            f"(ssh://, adb://) or with --device emulator"
        )
    lacking = [name for name in target.requires if name not in machine.features]
    if lacking:
        raise DeviceError(
            f"local: this CPU lacks {', '.join(lacking)}, which target {target.name} needs; use --target host, or "
            f"measure on another machine"
        )


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> LocalDevice:
    """This machine; UserError for an option other than ``core``, or a core that this process may not run on."""
    core, cores = read_address(url).core, os.sched_getaffinity(0)
    if core == ANY_CORE:
        raise UserError(f'--device "{url}": here a core must be a number, as compiling keeps off it')
    if core is not None and core not in cores:
        raise UserError(f'--device "{url}": no core {core} to run on (known: {", ".join(map(str, sorted(cores)))})')
    if threads > len(cores):
        raise UserError(f"--threads {threads}: this process has {len(cores)} cores to measure on")
    return LocalDevice(target, core)
