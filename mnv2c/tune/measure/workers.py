"""A pool of processes that compile candidates, each with a time limit; one that dies or hangs costs its candidate only.

Processes are started anew, with Python's own command line, so nothing of the caller's program runs in them, and they
live as long as the pool: starting one takes seconds.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mnv2c.errors import CompilerError
from mnv2c.tune.measure import worker

if TYPE_CHECKING:
    from mnv2c.tune.measure.candidate import Candidate

LIMIT = 30.0
"""Seconds of processor time that compiling one candidate may take: usual are 0.3 to 0.8, and some for long chains."""

PATIENCE = 10.0
"""How many times as long it may take by the clock, on a busy machine, until a worker is taken to hang."""

START_LIMIT = 300.0
"""Seconds that a worker may take to start, on a slow or busy machine."""


class _Process:
    """One worker."""

    def __init__(self, command: Sequence[str]) -> None:
        places = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": places},
        )
        self._is_ready = False

    def ask(self, request: tuple[Any, ...], limit: float) -> Candidate | str:
        """The worker's answer; EOFError where it died, TimeoutError where it took longer than ``limit`` seconds."""
        source, to = self._process.stdout, self._process.stdin
        assert source is not None and to is not None  # both are pipes
        if not self._is_ready:
            self._within(START_LIMIT, lambda: worker.read(source))
            self._is_ready = True

        def exchange() -> Any:
            try:
                worker.write(to, request)
            except OSError as error:
                raise EOFError(str(error)) from error
            return worker.read(source)

        result: Candidate | str = self._within(limit, exchange)
        return result

    def _within(self, limit: float, action: Any) -> Any:
        """The result of ``action``; the process is killed where that takes too long, which ends ``action``, too."""
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._process.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            return action()
        except EOFError as error:
            if is_late.is_set():
                raise TimeoutError(f"not compiled within {limit:g} s") from error
            raise
        finally:
            timer.cancel()

    def end(self) -> str:
        """Kill the process; how it ended, if it had ended before."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not sent is not wanted any more
                    continue
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class Workers:
    """``count`` processes, which keep off the core ``avoid``; to be closed, or used as a context.

    ``limit`` is the most seconds of processor time per candidate, ``patience`` times that the most by the clock.
    ``command`` replaces what is started (tests).
    """

    def __init__(
        self,
        count: int | None = None,
        *,
        avoid: int | None = None,
        limit: float = LIMIT,
        patience: float = PATIENCE,
        command: Sequence[str] | None = None,
    ) -> None:
        cores = os.sched_getaffinity(0) - {avoid}
        self.count = count or max(1, len(cores))
        self.limit, self.patience = limit, patience
        own = [f"{limit:g}", *([] if avoid is None else [str(avoid)])]
        self._command = tuple(command or (sys.executable, "-m", "mnv2c.tune.measure.worker", *own))
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(self.count):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="mnv2c-build")

    def start(self) -> None:
        """Start all processes now, so that they are ready when they are needed."""
        taken = [self._idle.get() for _ in range(self.count)]
        for process in taken:
            self._idle.put(process or _Process(self._command))

    def build(self, requests: Sequence[tuple[Any, ...]]) -> list[Candidate | str]:
        """Compile all requests, which are arguments of `build_candidate`: a candidate each, or why there is none."""
        return list(self._threads.map(self._build, requests))

    def _build(self, request: tuple[Any, ...]) -> Candidate | str:
        process = self._idle.get()
        kept: _Process | None = None
        try:
            process = process or _Process(self._command)
            try:
                result = process.ask(request, self.limit * self.patience)
            except TimeoutError as error:
                process.end()
                return str(error)
            except EOFError:
                how = process.end()
                if how == signal.SIGXCPU.name:
                    return f"not compiled within {self.limit:g} s of processor time"
                return f"the compiling process died: {how}"
            kept = process
            return result
        except OSError as error:
            raise CompilerError(f"{self._command[0]}: cannot be started: {error.strerror}") from error
        finally:
            self._idle.put(kept)

    def close(self) -> None:
        """End all processes; what still waits to be compiled, after Ctrl-C, is not."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            process = self._idle.get()
            if process is not None:
                process.end()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
