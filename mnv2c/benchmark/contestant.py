"""The parent's side of a contestant's process: one that takes turns, or one with a single task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mnv2c.benchmark.job import UnavailableError
from mnv2c.benchmark.peers import PEERS
from mnv2c.common.data import PACKAGE

START = "import sys; sys.path.append(sys.argv.pop(1)); from mnv2c.benchmark.worker import main; sys.exit(main())"
"""Another interpreter finds mnv2c behind its own packages, which must not be hidden by ours."""

PEERS_PYTHON = "MNV2C_PEERS_PYTHON"
"""Environment variable: the interpreter of the second environment, which ``make peers`` makes as .venv-peers."""


class Contestant:
    """A process that has prepared a job and waits for its turns; UnavailableError where it cannot."""

    def __init__(self, name: str, folder: Path, python: str = sys.executable) -> None:
        """Start ``name`` on the job in ``folder`` with the interpreter ``python``."""
        self.name = name
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, "-c", START, str(PACKAGE.parent), "time", name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            answer = self._answer()
            if "unavailable" in answer:
                raise UnavailableError(answer["unavailable"])
        except UnavailableError:
            self.close()
            raise
        self.version: str = answer["version"]
        self.macs: int = answer["macs"]

    def turn(self, runs: int) -> list[float]:
        """Run ``runs`` times and return the milliseconds of each; UnavailableError if the process died."""
        assert self._process.stdin is not None
        try:
            print(runs, file=self._process.stdin, flush=True)
        except OSError:
            pass  # it died: reading its answer says why
        times: list[float] = self._answer()
        return times

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass  # what was not sent yet no longer matters
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Contestant:
        """Return itself; the process ends with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        code = self._process.wait()
        self._errors.seek(0)
        raise _died(code, self._errors.read().decode("utf-8", "replace"))


def once(
    task: str,
    name: str,
    folder: str | Path,
    *,
    command: Sequence[str] = (sys.executable,),
    source: str | Path = PACKAGE.parent,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Let a process do a task of ``worker.py`` that needs no turns, and return its answer; UnavailableError.

    ``command`` starts Python and ``source`` is the folder it finds mnv2c in. ``timeout`` is in seconds.
    """
    words = [*command, "-c", START, str(source), task, name, str(folder)]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"did not finish within {timeout} seconds") from error
    except OSError as error:
        raise UnavailableError(f"cannot be started: {error}") from error
    if not done.stdout:
        raise _died(done.returncode, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    if "unavailable" in answer:
        raise UnavailableError(answer["unavailable"])
    return answer


def interpreter(name: str) -> str:
    """The interpreter for a contestant: that of the second environment if there is one and it belongs there."""
    if name not in PEERS or not PEERS[name].apart:
        return sys.executable
    beside = PACKAGE.parent / ".venv-peers" / "bin" / "python"
    given = os.environ.get(PEERS_PYTHON)
    if given and not os.access(given, os.X_OK):
        raise UnavailableError(f"{PEERS_PYTHON} is {given}, which cannot be run")
    return given or (str(beside) if beside.is_file() else sys.executable)


def _died(code: int, errors: str) -> UnavailableError:
    lines = errors.strip().splitlines()
    return UnavailableError(f"its process ended with {code}: {lines[-1] if lines else 'no message'}")
