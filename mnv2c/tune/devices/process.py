"""Runs a command that may fall silent: its lines are seen as they come, and a limit ends the wait for the next one."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from mnv2c.errors import DeviceError
from mnv2c.tune.devices.retry import UnreachableError

TICK = 0.1
"""Seconds between looks at whether to stop."""

GRACE = 2.0
"""Seconds for the last output of a process that has ended: a child of its may hold the pipe open for ever."""


@dataclass(frozen=True)
class Finished:
    """How a command ended: its status and all that it wrote."""

    status: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """The last line that it wrote about an error, for messages."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return lines[-1] if lines else f"status {self.status}"


def run(
    command: Sequence[str],
    *,
    limit: float,
    content: bytes = b"",
    on_line: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> Finished:
    """Run ``command`` with ``content`` as its input; ``on_line`` is called with every line that it writes.

    UnreachableError where ``limit`` seconds pass without a line, DeviceError where the command is missing or ``stop``
    is set meanwhile; the process is killed then. It gets a session of its own, so that Ctrl-C at a terminal reaches
    only mnv2c, which still has to clean up through it.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if content else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise DeviceError(f"{command[0]} cannot be run: {error.strerror or error}") from error
    try:
        return _follow(process, command[0], limit, content, on_line, stop or threading.Event())
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _follow(
    process: subprocess.Popen[bytes],
    name: str,
    limit: float,
    content: bytes,
    on_line: Callable[[str], None] | None,
    stop: threading.Event,
) -> Finished:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    errors: list[bytes] = []
    assert process.stdout is not None and process.stderr is not None
    threads = [
        threading.Thread(target=_lines, args=(process.stdout, lines), daemon=True),
        threading.Thread(target=_all, args=(process.stderr, errors), daemon=True),
    ]
    if process.stdin is not None:
        threads.append(threading.Thread(target=_feed, args=(process.stdin, content), daemon=True))
    for thread in threads:
        thread.start()
    seen: list[str] = []
    for line in _until_end(process, name, limit, lines, stop):
        seen.append(line)
        if on_line is not None:
            on_line(line.rstrip("\r\n"))
    status = process.wait()
    threads[1].join(GRACE)
    return Finished(status, "".join(seen), b"".join(errors).decode("utf-8", "replace"))


def _until_end(
    process: subprocess.Popen[bytes],
    name: str,
    limit: float,
    lines: queue.SimpleQueue[str | None],
    stop: threading.Event,
) -> Iterator[str]:
    """Yield every line until the process has ended and nothing more comes."""
    heard = time.monotonic()
    ended: float | None = None
    while True:
        try:
            line = lines.get(timeout=TICK)
        except queue.Empty:
            now = time.monotonic()
            if stop.is_set():
                raise DeviceError("the session is over") from None
            if process.poll() is None:
                if now - heard > limit:
                    raise UnreachableError(f"{name}: no answer for {limit:.0f} s") from None
                continue
            ended = ended or now
            if now - ended > GRACE:
                return
            continue
        if line is None:
            return
        heard = time.monotonic()
        yield line


def _lines(stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        lines.put(line.decode("utf-8", "replace"))
    lines.put(None)


def _all(stream: IO[bytes], into: list[bytes]) -> None:
    into.append(stream.read())


def _feed(stream: IO[bytes], content: bytes) -> None:
    try:
        stream.write(content)
        stream.close()
    except OSError:
        pass  # The command ended without reading everything; its status says why.
