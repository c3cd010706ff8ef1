"""The parent's side of a contestant's process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from mnv2c.benchmark.job import UnavailableError
from mnv2c.data import PACKAGE

START = "import sys; sys.path.append(sys.argv.pop(1)); from mnv2c.benchmark.worker import main; sys.exit(main())"
"""Another interpreter finds mnv2c behind its own packages, which must not be hidden by ours."""


class Contestant:
    """A process that has prepared a job and waits for its turns; UnavailableError where it cannot."""

    def __init__(self, name: str, folder: Path, python: str = sys.executable) -> None:
        """Start ``name`` on the job in ``folder`` with the interpreter ``python``."""
        self.name = name
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, "-c", START, str(PACKAGE.parent), name, str(folder)],
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
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        raise UnavailableError(f"its process ended with {code}: {lines[-1] if lines else 'no message'}")
