"""Executes a compiled library wherever it can run: here, or under an emulator where it is for another CPU."""

from __future__ import annotations

import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.common.scratch import scratch_folder
from mnv2c.runtime import Description, Library, StepResult, emulator
from mnv2c.runtime.frames import FrameFunctions, compiled_apart
from mnv2c.runtime.guarded import Guarded
from mnv2c.runtime.metadata import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[Any], ...]


class Executor(ABC):
    """What runs a library; ``where`` names it for reports, ``emulated`` says that its times mean nothing."""

    where: str
    emulated: bool

    @abstractmethod
    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[Arrays, float]:
        """Run once; return the outputs and the milliseconds it took."""

    @abstractmethod
    def frames(self) -> FrameFunctions:
        """What the library does with frames; LibraryError where it cannot be had."""

    @abstractmethod
    def trace(self, inputs: Sequence[NDArray[Any]]) -> tuple[StepResult, ...]:
        """Run step by step; return what each step leaves behind."""


class InProcess(Executor):
    """Loads the shared library into this process."""

    where, emulated = "this CPU", False

    def __init__(self, description: Description, threads: int, guarded: bool = False) -> None:
        """LibraryError where the CPU lacks what the library requires, or it was not compiled for so many threads.

        ``guarded``: in memory in which faults show, which takes longer.
        """
        self._library = (Guarded if guarded else Library)(description, threads)

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[Arrays, float]:
        """Run once; return the outputs and the milliseconds of the call."""
        start = time.perf_counter()
        outputs = self._library(*inputs)
        spent = (time.perf_counter() - start) * 1e3
        return (outputs if isinstance(outputs, tuple) else (outputs,)), spent

    def frames(self) -> FrameFunctions:
        """Those of the library itself."""
        return self._library.frames

    def trace(self, inputs: Sequence[NDArray[Any]]) -> tuple[StepResult, ...]:
        """Run step by step; return what each step leaves behind."""
        return tuple(self._library.trace(*inputs))


class AsProgram(Executor):
    """Links the static library into a program and starts that, under qemu where the CPU is another one."""

    def __init__(self, description: Description, backwards: bool = False) -> None:
        """LibraryError where qemu is needed and missing. ``backwards``: see `emulator.run`; steps run in order."""
        self._library, self._backwards = description, backwards
        command = emulator.launcher(description)
        self.emulated = bool(command)
        self.where = " ".join((Path(command[0]).name, *command[1:])) if command else "this CPU, as a static program"

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[Arrays, float]:
        """Run once; return the outputs and the milliseconds, which include linking and starting the program."""
        start = time.perf_counter()
        outputs = emulator.run(self._library, inputs, backwards=self._backwards).outputs
        return outputs, (time.perf_counter() - start) * 1e3

    def frames(self) -> FrameFunctions:
        """The same C, compiled for this machine."""
        with scratch_folder("frames") as folder:
            return compiled_apart(self._library, folder)

    def trace(self, inputs: Sequence[NDArray[Any]]) -> tuple[StepResult, ...]:
        """Run step by step; return what each step leaves behind."""
        return emulator.run(self._library, inputs, steps=True).steps


def described(directory: str | Path, variant: str | None, local: bool) -> Description:
    """Return the description of a compiled folder as it runs here: of ``variant``, or of what the library chooses.

    Where it cannot choose, since it does not run ``local``ly, of the best variant. LibraryError where there is none.
    """
    description = read(directory)
    if variant is not None:
        return description.of(variant)
    if not description.variants:
        return description
    runs = local and description.arch == platform.machine()
    return Library(description).description if runs else description.of(description.variants[0])


def executor(
    directory: str | Path, threads: int | None = None, variant: str | None = None, guarded: bool = False
) -> tuple[Description, Executor]:
    """Return the description of a compiled folder and what can run it on this machine; LibraryError if nothing can.

    Without ``threads`` as many as it was compiled for; a program of its own always runs all parts in one. ``variant``
    is one of the CPUs that it has kernels for; without, the library chooses. ``guarded``: see `InProcess`.
    """
    description = read(directory) if variant is None else read(directory).of(variant)
    if is_native(description):
        return description, InProcess(description, description.threads if threads is None else threads, guarded)
    return description, AsProgram(description)


def is_native(description: Description) -> bool:
    """Whether the shared library is for this machine's architecture and C library; its CPU may still lack a feature."""
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    return description.arch == platform.machine() and description.metadata["target"]["libc"] == libc
