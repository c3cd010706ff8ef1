"""Starts the process in which a library runs once; see `mnv2c.runtime.child`."""

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

import mnv2c
from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.runtime.child import CANNOT_RUN
from mnv2c.scratch import scratch_folder

if TYPE_CHECKING:
    from mnv2c.runtime import Description

    Array = np.ndarray[Any, Any]

TIMEOUT = 300
"""Seconds after which a run counts as hanging; the largest network of the zoo takes less than one."""


@dataclass(frozen=True)
class Ran:
    """The outputs of a run, and what a frame became and meant, where one was given."""

    outputs: tuple[Array, ...]
    loaded: Array | None = None
    answer: Array | None = None


def run_apart(description: Description, inputs: Sequence[Array], frame: Array | None = None) -> Ran:
    """Run a library of this machine's architecture once, with all its threads, in a process of its own.

    Raises CannotRunError where the CPU lacks what it needs, LibraryError where it fails, crashes or hangs.
    """
    with scratch_folder("child") as data:
        for index, value in enumerate(inputs):
            np.save(data / f"input_{index}.npy", value)
        if frame is not None:
            np.save(data / "frame.npy", frame)
        _start(description, data)
        outputs = tuple(np.load(data / f"output_{index}.npy") for index in range(len(description.outputs)))
        return Ran(outputs, _loaded(data / "loaded.npy"), _loaded(data / "answer.npy"))


def _start(description: Description, data: Path) -> None:
    words = [str(description.path), str(data), str(description.threads), description.variant]
    command = [sys.executable, "-P", "-m", "mnv2c.runtime.child", *words]
    paths = [str(Path(mnv2c.__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
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
