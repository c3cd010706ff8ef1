"""What runs a compiled library: a child process that a fault of the library cannot take along, or one qemu."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from mnv2c.runtime import Description, Library, StepResult, emulator
from mnv2c.runtime.execution import Executor
from mnv2c.runtime.guarded import Guarded

Array = np.ndarray[Any, Any]

PATIENCE = 60
"""Seconds for one run: small networks take milliseconds."""
SIZE = struct.Struct("<Q")


class CrashError(Exception):
    """The library ended its process, or did not end."""


class Child(Executor):
    """One context of a library in a forked process, for any number of runs.

    It is `Guarded`: what is read or handed over without having been written shows, and with ``backwards`` what parts
    need of each other.
    """

    where, emulated = "a child process", False

    def __init__(self, description: Description, backwards: bool = False) -> None:
        self._to_child, self._from_child = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _serve(description, backwards, os.fdopen(self._to_child[0], "rb"), os.fdopen(self._from_child[1], "wb"))
        os.close(self._to_child[0])
        os.close(self._from_child[1])
        self._write, self._read = os.fdopen(self._to_child[1], "wb"), os.fdopen(self._from_child[0], "rb")

    def run(self, inputs: Sequence[Array]) -> tuple[tuple[Array, ...], float]:
        return self._call("run", inputs), 0.0

    def trace(self, inputs: Sequence[Array]) -> tuple[StepResult, ...]:
        return tuple(StepResult(*values) for values in self._call("trace", inputs))

    def frames(self) -> Any:
        raise NotImplementedError

    def _call(self, what: str, inputs: Sequence[Array]) -> Any:
        with contextlib.suppress(BrokenPipeError):
            _send(self._write, (what, [np.ascontiguousarray(value) for value in inputs]))
        answer = _receive(self._read)
        if answer is None:
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            number = os.waitstatus_to_exitcode(status)
            name = signal.Signals(-number).name if number < 0 else f"exit code {number}"
            raise CrashError("it hangs" if name == "SIGALRM" else f"it crashed: {name}")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._write.close()
        self._read.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _send(to: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value)
    to.write(SIZE.pack(len(content)) + content)
    to.flush()


def _receive(source: IO[bytes]) -> Any:
    """The next value; None where the other side has ended."""
    head = source.read(SIZE.size)
    if len(head) < SIZE.size:
        return None
    content = source.read(SIZE.unpack(head)[0])
    return pickle.loads(content)


def _serve(description: Description, backwards: bool, source: IO[bytes], to: IO[bytes]) -> None:
    """Answer calls until there are no more; never returns."""
    library: Library | None = None
    try:
        while (call := _receive(source)) is not None:
            signal.alarm(PATIENCE)
            try:
                if library is None:
                    library = Guarded(description, description.threads, backwards=backwards)
                _send(to, _answer(library, *call))
            except Exception as error:  # whatever it is, the parent shall see it
                _send(to, error)
            signal.alarm(0)
    finally:
        os._exit(0)


def _answer(library: Library, what: str, inputs: Sequence[Array]) -> Any:
    if what == "run":
        outputs = library(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)
    return [(entry.step, entry.name, entry.onnx, entry.onnx_layout, entry.value) for entry in library.trace(*inputs)]


class Emulated(Executor):
    """Every run a program of its own under qemu, which is linked once; it runs by steps, with guarded buffers."""

    emulated = True

    def __init__(self, description: Description) -> None:
        self._description, self._command = description, emulator.launcher(description)
        self.where = Path(self._command[0]).name
        self._last: tuple[Array, ...] = ()

    def trace(self, inputs: Sequence[Array]) -> tuple[StepResult, ...]:
        found = emulator.run(self._description, inputs, steps=True)
        self._last = found.outputs
        return found.steps

    def run(self, inputs: Sequence[Array]) -> tuple[tuple[Array, ...], float]:
        """The outputs of the steps before, which in order make up a run; with threads those of a run backwards."""
        if self._description.threads == 1:
            return self._last, 0.0
        return emulator.run(self._description, inputs, backwards=True).outputs, 0.0

    def frames(self) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is left to end."""
