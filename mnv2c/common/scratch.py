"""Temporary folders for what tools read and write, in TMPDIR; those of killed processes are removed by the next."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnv2c.common import files
from mnv2c.errors import OutputError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_WORDS = ("nospaceleft", "no space left", "diskquota", "disk quota", "filetoobig", "file too large")
"""What tools say of a full disk."""


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a new folder of this user's own for ``purpose`` (a word); it goes with the context.

    OutputError, in one line about TMPDIR, where none can be made, or where it is full.
    """
    parent = temporary_folder()
    try:
        with files.temporary(parent / f"mnv2c-{purpose}", folder=True, mode=0o700) as folder:
            yield folder
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if error.filename is not None else parent
        if error.errno in NO_ROOM and where.is_relative_to(parent):
            raise no_room() from error
        if where.parent == parent:
            raise OutputError(f"{parent}: temporary files cannot be written: {error.strerror}; {_remedy()}") from error
        raise


def temporary_folder() -> Path:
    """Return the folder for temporary files: $TMPDIR, else what the system has.

    OutputError for a TMPDIR that is missing or cannot be written: Python itself would pass over it without a word.
    """
    given = os.environ.get("TMPDIR")
    if given:
        if not os.path.isdir(given):
            raise OutputError(f"TMPDIR={given}: no such folder; make it, or unset TMPDIR")
        if not os.access(given, os.W_OK | os.X_OK):
            raise OutputError(f"TMPDIR={given}: cannot be written; name another folder, or unset TMPDIR")
        return Path(given).absolute()
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise OutputError(f"no folder for temporary files can be written; {_remedy()}") from error


def no_room() -> OutputError:
    """The error that says that the folder for temporary files is full."""
    return OutputError(f"{temporary_folder()}: no room left for temporary files; {_remedy()}")


def tells_no_room(output: str) -> bool:
    """Whether a tool's output says that a disk is full."""
    return any(words in output.lower() for words in NO_ROOM_WORDS)


def _remedy() -> str:
    return "make room, or set TMPDIR to a folder that has some"
