"""A process that answers requests one by one, lines of JSON both ways; it is killed where an answer takes too long."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Any

from mnv2c.errors import DeviceError
from mnv2c.tune.devices.retry import UnreachableError

START_SECONDS = 120.0
"""Until the process answers for the first time: it imports TVM."""

END_SECONDS = 10.0
"""For a process to end by itself when its input has ended."""

MISSING = "ModuleNotFoundError"

CLIENT = (sys.executable, "-m", "mnv2c.tune.devices.rpc_client")


class RefusedError(Exception):
    """The process answered that a request failed; the message says why."""


class ClientProcess:
    """The process that ``command`` starts, from the first request on and again after it was killed."""

    def __init__(self, command: Sequence[str] = CLIENT) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._errors: IO[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make sure that it runs; UnreachableError where it does not come up."""
        if self.running:
            return
        self.kill()
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for mnv2c, which ends sessions between two candidates
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._lines), daemon=True).start()
        self._answer(START_SECONDS)

    def ask(self, limit: float, do: str, **entries: object) -> Any:
        """The result of a request; RefusedError where it failed, UnreachableError after ``limit`` seconds in vain."""
        self.start()
        if self._process is None or self._process.stdin is None:
            raise UnreachableError("the client of TVM's RPC is gone")
        try:
            self._process.stdin.write(json.dumps({"do": do, **entries}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # It has ended: the missing answer says so.
        return self._answer(limit)

    def close(self) -> None:
        """Let it end by itself, which disconnects it; kill it where it does not."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
                self._process.wait(END_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                pass  # It is killed anyway.
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                try:
                    if stream is not None:
                        stream.close()
                except OSError:
                    pass  # What could not be written is not missed.
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _answer(self, limit: float) -> Any:
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            self.kill()
            raise UnreachableError(f"no answer for {limit:.0f} s") from None
        try:
            answer = json.loads(line)
        except ValueError:
            said = self._said()
            self.kill()
            if MISSING in said:
                raise DeviceError(
                    f"TVM's RPC needs more packages ({said}); run in the repository: pip install -e '.[tune]'"
                ) from None
            raise UnreachableError(f"the client of TVM's RPC ended ({said})") from None
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer["result"]

    def _said(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else "without a word"


def _listen(stream: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    try:
        for line in stream:
            lines.put(line)
    except ValueError:
        pass  # Closed meanwhile.
    lines.put(b"")
