"""Files and folders under a temporary name: they appear whole or not at all, and what a killed process leaves goes.

A temporary entry is called ``.NAME.mnv2c-XXXXXXXX`` and is locked (flock) for as long as its process lives; whoever
makes the next one removes those beside it that nobody holds. The system ends a lock with its process, so neither
process numbers nor ages have to be believed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = re.compile(r"\..*\.mnv2c-[0-9a-f]{8}")
STEM = 100
"""Characters of the name that a temporary one begins with: the whole must not be longer than systems take."""

READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
ANY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Content = bytes | Callable[[Path], None]
"""What a file is to hold, or what writes it to the path that it is given."""


def replace_file(path: Path, content: Content) -> None:
    """Put a file in the place of ``path``, whole or not at all, even if power fails; OSError.

    It is on the disk before it gets its name, and the name before this returns.
    """
    with temporary(path) as made:
        if isinstance(content, bytes):
            made.write_bytes(content)
        else:
            content(made)
        sync(made)
        os.replace(made, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on the disk before this returns; OSError.

    A folder that this user may not read, or whose system of files has no such order, is left to the system.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


@contextmanager
def temporary(path: Path, *, folder: bool = False, mode: int = 0o777) -> Iterator[Path]:
    """Yield a new file or folder beside ``path`` under a temporary name, and remove it afterwards if it is still there.

    Left-overs beside it of the same name are removed first. OSError where it cannot be made.
    """
    stem = f".{path.name[:STEM]}.mnv2c-"
    remove_left_overs(path.parent, stem)
    made, lock = _claim(path.parent, stem, folder, mode)
    try:
        yield made
    finally:
        _remove(made)
        os.close(lock)


def probe(folder: Path) -> None:
    """Raise OSError unless a file can be made in ``folder``; it has no name where the system has such files."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            raise
        with temporary(folder / "probe"):
            pass


def is_temporary(name: str) -> bool:
    """Whether a name is one that `temporary` gives."""
    return MARK.fullmatch(name) is not None


def remove_left_overs(parent: Path, stem: str) -> None:
    """Remove this user's temporary entries in ``parent`` that no living process holds; ``stem`` begins their names."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(stem) and is_temporary(name)]
    except OSError:
        return  # nothing can be there, or nothing can be seen: making an entry says why
    for name in names:
        with suppress(OSError):  # another process is about to do the same, or it is not ours to remove
            _remove_if_free(parent / name)


def lock(path: Path) -> int:
    """Wait for the lock of a folder, which other processes may replace meanwhile; the descriptor, to be closed.

    OSError. Where the system of files has no locks, nobody is waited for.
    """
    while True:
        file = os.open(path, READ_FOLDER)
        try:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _claim(parent: Path, stem: str, folder: bool, mode: int) -> tuple[Path, int]:
    """Make an entry and lock it; who looks for left-overs may have taken it in between for one, and removed it."""
    while True:
        path = parent / f"{stem}{secrets.token_hex(4)}"
        if folder:
            path.mkdir(mode)
        flags = READ_FOLDER if folder else os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            file = os.open(path, flags, mode & 0o666)
        except FileNotFoundError:
            if not folder:
                raise
            continue
        if _holds(file) and _is_still(path, file):
            return path, file
        os.close(file)


def _holds(file: int) -> bool:
    """Lock a file that nobody else holds; a system of files without locks has nobody who could."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_if_free(path: Path) -> None:
    if path.lstat().st_uid != os.geteuid():
        return
    file = os.open(path, ANY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(file)


def _remove(path: Path) -> None:
    """Remove a file or a folder that may be gone already; what cannot be removed is left to the next one."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
