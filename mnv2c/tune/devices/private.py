"""A private folder for the programs of a session on this machine, and the removal of what a killed one left."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnv2c.tune.devices import scripts

PATTERN = "mnv2c-tune-*"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a new folder that only its owner can enter, and remove it; OSError where there can be none."""
    folder = Path(tempfile.gettempdir()) / scripts.fresh_name()
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear() -> None:
    """Remove the folders of this user's sessions that are no more, and stop what still runs out of them.

    A program that outlives its session takes the core on which the next one measures.
    """
    for folder in Path(tempfile.gettempdir()).glob(PATTERN):
        if scripts.is_left_over(folder.name) and _is_own(folder):
            subprocess.run(["sh", "-c", scripts.remove(str(folder))], stdin=subprocess.DEVNULL, check=False)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder, no link to one, of this user: others may give theirs any name."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
