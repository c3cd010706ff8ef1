"""Puts the finished files into the output folder: all of them whole, or none."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mnv2c.common import files as disk
from mnv2c.errors import OutputError
from mnv2c.package.exchange import exchange
from mnv2c.package.header import ABI
from mnv2c.targets.systems import System


@dataclass(frozen=True)
class Symlink:
    """A symbolic link to another file of the same folder."""

    to: str


Content = bytes | str | Path | Symlink
"""What a file is made of: bytes, text (UTF-8), a copy of another file, or a link."""


def shared_files(system: System, name: str, content: bytes) -> dict[str, Content]:
    """The shared library under the name that ``system`` looks for, and the link to it where there is one."""
    file, link = system.shared_file(name, ABI), system.link_file(name)
    return {file: content, link: Symlink(file)} if link else {file: content}


def check_writable(directory: str | Path) -> None:
    """Raise OutputError unless ``directory`` can be written or created; leaves nothing behind."""
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"{directory}: is a file; give a folder with --output")
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise OutputError(f"{directory}: {existing} is not a folder")
    try:
        disk.probe(existing)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be written: {error.strerror}; give another --output") from error


def lay_out(folder: Path, files: Mapping[str, Content]) -> None:
    """Write ``files`` into an existing temporary ``folder``, as they are; OSError."""
    for name, content in files.items():
        _write(folder / name, content)


def write(directory: str | Path, files: Mapping[str, Content]) -> None:
    """Write ``files`` (by name) into ``directory``, made if need be; everything is on the disk when this returns.

    At every moment, also if this process is killed, the folder holds all of these files or all that it held before.
    Other entries stay. Where the folder cannot be exchanged as a whole (see `mnv2c.package.exchange`), each file
    appears by a rename after all are complete, so that a kill within these microseconds leaves both kinds.

    Raises OutputError; the folder is as it was then.
    """
    directory = Path(directory)
    check_writable(directory)
    place = Path(os.path.realpath(directory))
    missing = [path for path in (place, *place.parents) if not path.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if len(files) == 1:
            place.mkdir(exist_ok=True)
            for name, content in files.items():
                disk.replace_file(place / name, partial(_write, content=content))
        else:
            _write_all(place, files)
        for path in missing[1:]:
            disk.sync(path.parent)
    except OSError as error:
        _remove_empty(missing)
        raise OutputError(f"{error.filename or directory}: cannot be written: {error.strerror}") from error


def _write_all(place: Path, files: Mapping[str, Content]) -> None:
    """Write everything, have it on the disk, and only then give it its place; OSError."""
    with _staging(place) as staging:
        lay_out(staging, files)
        for name, content in files.items():
            if not isinstance(content, Symlink):
                disk.sync(staging / name)
        _put(staging, place, files)


@contextmanager
def _staging(place: Path) -> Iterator[Path]:
    """A folder beside ``place``, or in it where it is another system of files, or its surroundings are not ours."""
    if place.is_dir():
        disk.remove_left_overs(place, ".")
        beside = place.stat().st_dev == place.parent.stat().st_dev and os.access(place.parent, os.W_OK | os.X_OK)
    else:
        beside = True
    with disk.temporary(place if beside else place / "staging", folder=True) as folder:
        yield folder


def _put(staging: Path, place: Path, files: Mapping[str, Content]) -> None:
    """Make the content of ``staging`` that of ``place``; OSError."""
    for name in files:
        if (place / name).is_dir() and not (place / name).is_symlink():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(place / name))
    if not place.exists():
        disk.sync(staging)
        os.rename(staging, place)
        disk.sync(place.parent)
    elif not exchange(staging, place, files.keys()):
        for name in files:
            os.replace(staging / name, place / name)
        disk.sync(place)


def _remove_empty(folders: list[Path]) -> None:
    """Remove what was made for nothing, innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _write(path: Path, content: Content) -> None:
    match content:
        case Symlink(to=to):
            path.symlink_to(to)
        case Path():
            shutil.copyfile(content, path)
        case str():
            path.write_text(content, encoding="utf-8")
        case bytes():
            path.write_bytes(content)
