"""A contestant's process, started by ``contestant.py`` with NAME and FOLDER and driven over stdin and stdout.

It prepares the job in FOLDER, warms up, writes ``NAME.npy`` (its output) and prints a line of JSON: ``version``, or
``unavailable`` with the reason. Then every line with a number N makes it run once and N times more, and print the list
of the latter's milliseconds. A process per contestant keeps their thread pools and allocators apart.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np

from mnv2c.benchmark import job as jobs
from mnv2c.benchmark.peers import prepare
from mnv2c.benchmark.peers.base import Prepared

WARM_UP = 3


def main() -> int:
    """Serve until stdin ends."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    answers = _own_stdout()
    try:
        prepared = prepare(name, jobs.read(folder))
        for _ in range(WARM_UP):
            prepared.run()
        np.save(folder / f"{name}.npy", prepared.output())
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _say(answers, {"unavailable": str(error) if isinstance(error, jobs.UnavailableError) else reason})
        return 1
    _say(answers, {"version": prepared.version, "macs": prepared.macs})
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


def _own_stdout() -> TextIO:
    """Keep stdout for the answers, and send to stderr what libraries print."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, value: object) -> None:
    print(json.dumps(value), file=answers, flush=True)
