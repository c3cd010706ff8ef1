"""Files of records: one JSON object per line, appended to by several processes at once, never left half-written.

A line that a crash cut short costs that line: the next batch begins a new one. Who replaces a file takes the same
lock as who appends to it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mnv2c.common.files import replace_file
from mnv2c.common.reading import TooLargeError, read_limited
from mnv2c.errors import OutputError, UserError
from mnv2c.records.record import Record, from_line, is_newer, to_line

LARGEST = 256 << 20
"""Bytes of a file of records at most."""

LONGEST_LINE = 1 << 20
"""Characters of a record at most; what is longer is none any more when it is cut."""

Warn = Callable[[str], None]
"""Receives a sentence for the user."""


def append(path: Path, records: Sequence[Record]) -> None:
    """Append ``records`` to ``path``, made if need be, all in one write that is on the disk when this returns.

    OutputError, with the file as it was, where that is impossible.
    """
    if not records:
        return
    text = "".join(f"{to_line(record)}\n" for record in records).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path) as file:
            _write(file, text)
    except OSError as error:
        raise OutputError(
            f"{path}: records cannot be written: {error.strerror}; make room or give --schedules"
        ) from None


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Open ``path`` to be read and appended to, and keep all others out that do so through this function."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                yield file
                return
        finally:
            os.close(file)  # which ends the lock


def _is_still(path: Path, file: int) -> bool:
    """Whether nobody replaced the file while we waited for it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _write(file: int, text: bytes) -> None:
    before = os.fstat(file).st_size
    if before and os.pread(file, 1, before - 1) != b"\n":
        text = b"\n" + text  # after a line that a crash cut short
    try:
        done = 0
        while done < len(text):
            done += os.write(file, text[done:])
        os.fsync(file)
    except OSError:
        os.ftruncate(file, before)
        raise


def read(paths: Iterable[Path], warn: Warn) -> list[Record]:
    """Return all records of the files in order; a missing file has none.

    Lines that are no records of this version are skipped, with one warning per file. UserError for a file that cannot
    be read.
    """
    return [record for path in paths for record in read_file(path, warn)]


def read_file(path: Path, warn: Warn) -> list[Record]:
    """Return the records of one file; see `read`. The file may be a JSON array with a record per line."""
    found: list[Record] = []
    skipped: list[int] = []
    for number, text in _lines(path):
        record = from_line(text)
        if record is None:
            skipped.append(number)
        else:
            found.append(record)
    if skipped:
        more = f" (and {len(skipped) - 1} more lines)" if len(skipped) > 1 else ""
        warn(f"{path}:{skipped[0]}: not a record of this version of mnv2c, skipped{more}")
    return found


def newer_lines(path: Path) -> list[str]:
    """Return the lines of a file that a later version of mnv2c wrote, with a schema that this one cannot read."""
    return [text for _, text in _lines(path) if is_newer(text)]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return what may be records, one JSON value each, with the numbers of their lines; a missing file has none."""
    try:
        lines = read_limited(path, LARGEST).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except TooLargeError:
        raise UserError(f"{path}: records cannot be read: more than {LARGEST:,} bytes; prune or remove it") from None
    except OSError as error:
        raise UserError(f"{path}: records cannot be read: {error.strerror}") from None
    texts = ((number, line.strip().removesuffix(",")) for number, line in enumerate(lines, 1))
    return [(number, text[:LONGEST_LINE]) for number, text in texts if text not in ("", "[", "]")]


def replace(path: Path, records: Sequence[Record], others: Sequence[str] = ()) -> None:
    """Put a file with ``records`` and the lines ``others`` in the place of ``path``, whole or not at all; OutputError.

    A file called ``*.json`` becomes a JSON array with a line per record, any other has one object per line.
    """
    lines = [*(to_line(record) for record in records), *others]
    text = "[\n" + ",\n".join(lines) + "\n]\n" if path.suffix == ".json" else "".join(f"{line}\n" for line in lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise OutputError(f"{path}: records cannot be written: {error.strerror}; make room or name another") from None
