"""Puts the finished files into the output folder: all of them whole, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mnv2c.errors import OutputError
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
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".mnv2c-"):
            pass
    except OSError as error:
        raise OutputError(f"{directory}: cannot be written: {error.strerror}; give another --output") from error


def write(directory: str | Path, files: Mapping[str, Content]) -> None:
    """Write ``files`` (by name) into ``directory``, made if need be; each appears by a rename, after all are complete.

    Raises OutputError; existing files of other names stay, and after an error so do those of the same names.
    """
    directory = Path(directory)
    check_writable(directory)
    existed = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".mnv2c-") as staging:
            for name, content in files.items():
                _write(Path(staging) / name, content)
            for name in files:
                os.replace(Path(staging) / name, directory / name)
    except OSError as error:
        if not existed and directory.is_dir():
            shutil.rmtree(directory)
        raise OutputError(f"{error.filename or directory}: cannot be written: {error.strerror}") from error


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
