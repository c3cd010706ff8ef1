"""No board at all: ``emulator`` counts instructions and simulated cache misses under qemu's user mode.

Equal programs cost the same to the last digit, on any machine, whatever else it does. A cost is no time: it compares
ways to run a chain on the CPU whose caches the target file states.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mnv2c.benchmark import plugin
from mnv2c.benchmark.counts import LINE_BYTES, WAYS, Counts, Simulator, read_counts
from mnv2c.errors import DeviceError, LibraryError, LinkerError, UserError
from mnv2c.tune.devices.address import read_address
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.base import Batch, Form, Machine
from mnv2c.tune.devices.private import clear, private_folder
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from pathlib import Path

    from mnv2c.targets import Target

L1_MISS = 4.0
"""What a line from the second-level cache costs, in instructions: it takes 9 to 13 cycles (Cortex-A55, -A76), in which
these cores could do some ten instructions, and more than half of that is hidden behind what does not wait for it."""

L2_MISS = 20.0
"""What a line from behind the second-level cache costs further: ten times as long to come, but most such lines are
weights, which are read in order, so that the hardware fetches them ahead."""

LIMIT_FACTOR = 60.0
"""How many times a batch's limit, which is for the machine itself, counting may take: it is some 50 times slower."""

PROGRAM = "measure"


@dataclass(frozen=True)
class _Run:
    """One candidate under the emulator: what its program answered, and what was counted for every part."""

    answer: Measured
    counts: tuple[Counts, ...] = ()


class EmulatorDevice:
    """qemu with the counting plugin, and the caches of ``target``; ``threads`` share the parts of a candidate."""

    form = Form.EXECUTABLE
    unit = "cost"

    def __init__(self, target: Target, threads: int = 1) -> None:
        self.url = "emulator"
        self.lanes = max(1, len(os.sched_getaffinity(0)))
        self._target, self._threads = target, threads
        self._simulator: Simulator | None = None

    def __enter__(self) -> Self:
        """Build the plugin if need be; DeviceError where qemu or a part of it is missing."""
        self._simulator = _simulator(self._target)
        clear()
        with private_folder() as folder:
            try:
                self._simulator.install(folder)
            except LinkerError as error:
                raise DeviceError(f"emulator: the counting plugin cannot be built: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is left behind."""
        self._simulator = None

    def machine(self) -> Machine:
        """Describe the CPU that is emulated."""
        simulated = self._simulator or _simulator(self._target)
        return Machine(self._target.entry or self._target.name, self._threads, f"{simulated.where}; {simulated.model}")

    def measure(self, batch: Batch) -> list[Measured]:
        """Count each of ``batch.numbers``, in order, and the default, with which they are compared."""
        if self._simulator is None:
            raise DeviceError("emulator: not opened; use the device as a context")
        with private_folder() as folder:
            self._simulator.install(folder)
            (folder / PROGRAM).write_bytes(batch.content)
            (folder / PROGRAM).chmod(0o700)
            default = self._run(folder, 0, batch.limit)
            runs = [default if number == 0 else self._run(folder, number, batch.limit) for number in batch.numbers]
        return [_priced(run, default) for run in runs]

    def _run(self, folder: Path, number: int, limit: float) -> _Run:
        """One candidate in a process of its own; with no environment, and relative names, its stack is always equal."""
        assert self._simulator is not None  # measure has looked
        command = [*self._simulator.command, f"./{PROGRAM}", "count", str(number)]
        seconds = limit * LIMIT_FACTOR
        try:
            done = subprocess.run(
                command, cwd=folder, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return _Run(Measured(Status.HUNG, detail=f"not done within {seconds:g} s", device=self.url))
        except OSError as error:
            raise DeviceError(f"emulator: {command[0]} cannot be started: {error.strerror}") from error
        if done.returncode != 0:
            code = done.returncode
            detail = f"signal {-code}" if code < 0 else f"exit code {code}"
            return _Run(Measured(Status.CRASHED, detail=detail, device=self.url))
        (answer,) = read_answers(done.stdout, [number], self.url)
        return _Run(answer, tuple(read_counts(folder)) if answer.valid else ())


def cost(counts: Counts) -> float:
    """Instructions and weighted misses."""
    return counts.instructions + L1_MISS * counts.l1_misses + L2_MISS * counts.l2_misses


def _priced(run: _Run, default: _Run) -> Measured:
    if not run.answer.valid:
        return run.answer
    total = _total(run)
    ratio = total / _total(default) if default.answer.valid and _total(default) else None
    sums = {
        name: sum(getattr(counts, name) for counts in run.counts) for name in ("instructions", "l1_misses", "l2_misses")
    }
    return replace(run.answer, cost=total, ratio=ratio, spread=0.0, costs=(total,), conditions=dict(sums))


def _total(run: _Run) -> float:
    """Cost of a call: its parts run at the same time, so the dearest of a phase counts; phases follow each other."""
    phases = int(str(run.answer.conditions.get("phases", 1)))
    parts = len(run.counts) // phases
    groups: list[Sequence[Counts]] = [run.counts[phase * parts : (phase + 1) * parts] for phase in range(phases)]
    return sum(max(map(cost, group)) for group in groups)


def _simulator(target: Target) -> Simulator:
    sizes = (target.l1d_bytes, target.l2_bytes)
    for size, ways in zip(sizes, WAYS, strict=True):
        if size < LINE_BYTES * ways:
            raise DeviceError(f"emulator: target {target.name}: a cache of {size} bytes is too small to simulate")
    try:
        return Simulator(plugin.find_qemu(target.arch), target.emulator_cpu or "max", *sizes)
    except LibraryError as error:
        raise DeviceError(f"emulator: {error}") from error


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> EmulatorDevice:
    """The emulator for ``target``; UserError where its instructions are not emulated, or for options: it has none."""
    read_address(url)
    if target.isa == "avx512":
        raise UserError(f"--device emulator: qemu does not emulate AVX-512, which target {target.name} needs")
    return EmulatorDevice(target, threads)
