"""Exchanges a whole folder for another in one step of the system, without losing what others keep in it.

The new folder first gets everything that is to stay: hard links to files, folders made anew around such links. It is
the same files then, and at every moment they are there under their names. What others add between the links and the
exchange is moved over afterwards.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from mnv2c.common import files as disk

RENAME_EXCHANGE = 2
AT_FDCWD = -100
SYSTEM_CALLS = {"x86_64": 316, "aarch64": 276, "armv7l": 382, "riscv64": 276}
"""Of renameat2, by the machine's name: C libraries had no function for it before glibc 2.28."""

MOST_OTHERS = 1000
"""Entries of others that are taken along; a folder with more is no folder of libraries."""


class _NotToBeExchangedError(Exception):
    """The folder is more than a library's."""


def exchange(staging: Path, place: Path, names: Collection[str]) -> bool:
    """Put the folder ``staging`` in the place of the folder ``place``, with all that is there and not among ``names``.

    False, with ``place`` untouched, where that cannot be: this process works in the folder, others keep more than
    ``MOST_OTHERS`` entries there or some that cannot be linked, or the system cannot exchange these folders (a mount
    point, NFS, a kernel before 3.15). On success ``staging`` holds the old files.
    """
    if _is_worked_in(place):
        return False
    lock = disk.lock(place)
    try:
        _take_along(place, staging, names, [MOST_OTHERS])
        os.utime(staging)
        disk.sync(staging)
        _swap(staging, place)
    except (OSError, _NotToBeExchangedError):
        _forget_others(staging, names)
        return False
    else:
        disk.sync(place.parent)
        with suppress(OSError):  # what cannot be moved stays where it is, and is no reason to fail
            _move_rest(staging, place, names)
        return True
    finally:
        os.close(lock)


def _is_worked_in(place: Path) -> bool:
    """Whether this process's current folder is the one, or in it: it would be in the old one afterwards."""
    try:
        return Path.cwd().is_relative_to(place)
    except FileNotFoundError:
        return False


def _take_along(old: Path, new: Path, names: Collection[str], left: list[int]) -> None:
    """Link what is in ``old`` into ``new``; ``left`` counts how many entries may follow."""
    for entry in os.scandir(old):
        if entry.name in names or disk.is_temporary(entry.name):
            continue
        left[0] -= 1
        if left[0] < 0:
            raise _NotToBeExchangedError
        if entry.is_dir(follow_symlinks=False):
            (new / entry.name).mkdir()
            _take_along(Path(entry.path), new / entry.name, (), left)
        else:
            os.link(entry.path, new / entry.name, follow_symlinks=False)
    found, made = old.stat(), new.stat()
    if (found.st_uid, found.st_gid) != (made.st_uid, made.st_gid):
        os.chown(new, found.st_uid, found.st_gid)
    shutil.copystat(old, new)  # with access lists


def _swap(one: Path, other: Path) -> None:
    """Exchange two names in one step; OSError."""
    number = SYSTEM_CALLS.get(platform.machine())
    if number is None:
        raise _NotToBeExchangedError
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    here, first, second = ctypes.c_long(AT_FDCWD), os.fsencode(one), os.fsencode(other)
    if syscall(ctypes.c_long(number), here, first, here, second, ctypes.c_long(RENAME_EXCHANGE)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


def _move_rest(old: Path, new: Path, names: Collection[str]) -> None:
    """Move from ``old`` what others put there after their entries had been taken along."""
    for entry in os.scandir(old):
        target = new / entry.name
        if entry.name in names or (os.path.lexists(target) and _is_same(entry, target)):
            continue
        if entry.is_dir(follow_symlinks=False) and target.is_dir():
            _move_rest(Path(entry.path), target, ())
        else:
            os.replace(entry.path, target)


def _is_same(entry: os.DirEntry[str], target: Path) -> bool:
    return os.path.samestat(entry.stat(follow_symlinks=False), target.lstat())


def _forget_others(staging: Path, names: Collection[str]) -> None:
    """Leave only ``names``, for the files to be put into place one by one."""
    for entry in os.scandir(staging):
        if entry.name not in names:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
