"""Starts the process in which a library runs; see `mnv2c.runtime.child`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.common.data import PACKAGE
from mnv2c.common.scratch import scratch_folder
from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.runtime.child import CANNOT_RUN

if TYPE_CHECKING:
    from mnv2c.runtime import Description

    Array = np.ndarray[Any, Any]

TIMEOUT = 300
"""Seconds after which a run counts as hanging; the largest network of the zoo takes less than one."""


@dataclass(frozen=True)
class Ran:
    """The outputs of every run, and what a frame became and meant, where one was given."""

    outputs: tuple[tuple[Array, ...], ...]
    loaded: Array | None = None
    answer: Array | None = None


def run_apart(description: Description, runs: Sequence[Sequence[Array]], frame: Array | None = None) -> Ran:
    """Run a library of this machine's architecture, with all its threads, in a process of its own.

    ``runs`` hold the inputs of one run after the other in one context. With several threads the first ones are run once
    more, by parts in opposite order, which is the last of the runs that come back.

    Raises CannotRunError where the CPU lacks what it needs, LibraryError where it fails, crashes or hangs.
    """
    runs = [*runs, runs[0]] if description.threads > 1 else runs
    with scratch_folder("child") as data:
        for run, inputs in enumerate(runs):
            for index, value in enumerate(inputs):
                np.save(data / f"input_{run}_{index}.npy", value)
        if frame is not None:
            np.save(data / "frame.npy", frame)
        _start(description, data)
        count = range(len(description.outputs))
        outputs = tuple(
            tuple(np.load(data / f"output_{run}_{index}.npy") for index in count) for run in range(len(runs))
        )
        return Ran(outputs, _loaded(data / "loaded.npy"), _loaded(data / "answer.npy"))


def _start(description: Description, data: Path) -> None:
    words = [str(description.path), str(data), str(description.threads), description.variant]
    command = [sys.executable, "-P", "-m", "mnv2c.runtime.child", *words]
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise LibraryError(f"{description.name}: did not finish within {TIMEOUT} seconds") from None
    if done.returncode == 0:
        return
    told = data / "error.txt"
    if told.is_file():
        message = json.loads(told.read_text(encoding="utf-8"))
        raise CannotRunError(message) if done.returncode == CANNOT_RUN else LibraryError(message)
    if done.returncode < 0:
        raise LibraryError(f"{description.name}: crashed ({signal.Signals(-done.returncode).name})")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise LibraryError(f"{description.name}: its process ended with {done.returncode}: {last}")


def _loaded(path: Path) -> Array | None:
    return np.load(path) if path.is_file() else None
