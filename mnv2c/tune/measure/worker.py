"""A process that compiles candidates: pickled requests from standard input, pickled answers to standard output.

``python -m mnv2c.tune.measure.worker SECONDS [CORE]`` keeps off CORE, and is killed by SIGXCPU where a candidate takes
more than SECONDS of processor time. Every message has its length, eight bytes, in front.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import time
from typing import IO, Any

from mnv2c.tune.measure.candidate import Candidate, build_candidate

NICENESS = 10
"""Compiling waits for what is measured, where both want the same core."""

LENGTH_BYTES = 8
LONGEST = 300
"""Characters of a reason."""


def write(to: IO[bytes], message: Any) -> None:
    """Send a message; OSError where nobody reads it."""
    content = pickle.dumps(message)
    to.write(len(content).to_bytes(LENGTH_BYTES, "little"))
    to.write(content)
    to.flush()


def read(source: IO[bytes]) -> Any:
    """Receive a message; EOFError at the end."""
    header = source.read(LENGTH_BYTES)
    length = int.from_bytes(header, "little")
    content = source.read(length) if len(header) == LENGTH_BYTES else b""
    if len(header) < LENGTH_BYTES or len(content) < length:
        raise EOFError("the other side has closed the pipe")
    return pickle.loads(content)


def answer(request: tuple[Any, ...]) -> Candidate | str:
    """The compiled candidate, or why there is none."""
    try:
        return build_candidate(*request)
    except Exception as error:  # TVM raises several kinds, and none may end the worker
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[-1][:LONGEST]}" if lines else type(error).__name__


def limit_time(seconds: float) -> None:
    """Let the system end this process after so many seconds of processor time from now on, whole ones."""
    used = time.process_time()
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the session decides when its workers end
    os.nice(NICENESS)
    seconds = float(sys.argv[1])
    cores = os.sched_getaffinity(0) - {int(core) for core in sys.argv[2:]}
    if cores:
        os.sched_setaffinity(0, cores)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not get between the answers
    import tvm  # noqa: F401  # takes seconds, which are not the first candidate's

    try:
        write(answers, "ready")
        while True:
            request = read(sys.stdin.buffer)
            limit_time(seconds)
            write(answers, answer(request))
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
