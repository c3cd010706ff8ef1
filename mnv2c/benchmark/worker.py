"""A contestant's process, started by ``contestant.py`` with TASK, NAME and FOLDER, the folder of a job.

It prints a line of JSON: ``version``, or ``unavailable`` with the reason. The tasks:

- ``time``: prepare the contestant, warm up, write ``NAME.npy`` (its output) and answer. Then every line of stdin with a
  number N makes it run once and N times more, and print the list of the latter's milliseconds.
- ``convert``: write the peer's own form of the model, which may then be run elsewhere.
- ``count``: load what was converted and run it between the marker system calls of ``c/count.c``; write ``NAME.npy``.

A process per contestant keeps their thread pools and allocators apart.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from mnv2c.benchmark import job as jobs
from mnv2c.benchmark import peers
from mnv2c.benchmark.peers.base import Prepared

WARM_UP = 3
MARKER = 28014
"""The system call that ``c/count.c`` waits for; Linux has none of that number."""

COUNTED_RUNS = 2
"""Inferences between markers: the first fills the caches, the last is the one that counts."""


def main() -> int:
    """Do the task; 1 if the contestant cannot take part."""
    task, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    answers = _own_stdout()
    try:
        job = jobs.read(folder)
        if task == "convert":
            peers.convert(name, job)
            _say(answers, {})
            return 0
        prepared = peers.prepare(name, job) if task == "time" else peers.load(name, job)
        if task == "time":
            for _ in range(WARM_UP):
                prepared.run()
        else:
            count(prepared)
        np.save(folder / f"{name}.npy", prepared.output())
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _say(answers, {"unavailable": str(error) if isinstance(error, jobs.UnavailableError) else reason})
        return 1
    _say(answers, {"version": prepared.version, "macs": prepared.macs})
    if task == "time":
        for line in sys.stdin:
            _say(answers, turn(prepared, int(line)))
    return 0


def turn(prepared: Prepared, runs: int) -> list[float]:
    """Run once for the caches, then ``runs`` times; return the milliseconds of the latter."""
    prepared.run()
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        prepared.run()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def count(prepared: Prepared) -> None:
    """Run with a marker before every interval and one at the end: ``COUNTED_RUNS`` inferences, then nothing.

    The last interval shows what the marking itself costs, and Python's call of a function.
    """
    mark, number = ctypes.CDLL(None).syscall, ctypes.c_long(MARKER)

    def nothing() -> None: ...

    runs: list[Callable[[], object]] = [*[prepared.run] * COUNTED_RUNS, nothing]
    gc.disable()
    try:
        for run in runs:
            mark(number)
            run()
        mark(number)
    finally:
        gc.enable()


def _own_stdout() -> TextIO:
    """Keep stdout for the answers, and send to stderr what libraries print."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, value: object) -> None:
    print(json.dumps(value), file=answers, flush=True)
