"""What is expensive to make, made by one worker of a session and read by all."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """Return what ``make(folder)`` returned in the first process that asked for ``name``; others wait for it.

    The folder is new and empty, the same for everyone, and must not be changed afterwards. The result is pickled. What
    fails is made anew by the next that asks, so every test that needs it shows why.
    """
    base = factory.getbasetemp()
    common = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    common.mkdir(exist_ok=True)
    folder, result = common / name, common / f"{name}.pickle"
    with (common / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
    made: T = pickle.loads(result.read_bytes())
    return made
