"""Where records lie: the user's own, which tuning appends to, and those that come with mnv2c.

The user's are ``<entry>.jsonl`` in the folder given, else in ``$MNV2C_SCHEDULES``, else in
``$XDG_DATA_HOME/mnv2c/schedules``; ``entry`` is the target file that a target comes from. The shipped ones are
``schedules/<entry>/*.json``, and those of sets that several targets share (``schedules/shared.toml``). The word
"none" for the folder means that no records are used at all.

Of a user's record the target that it names must be the one in question; a shipped one holds for those that its folder
serves, wherever it was measured.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from pathlib import Path

from mnv2c.common import data
from mnv2c.errors import CompilerError, UserError

VARIABLE = "MNV2C_SCHEDULES"
NONE = "none"
SHARED = "shared.toml"
HOME = "~/.local/share"
"""Where users' data lie; it stays as it is for a user without a home, who then has no records."""


def own_folder(schedules: str | Path | None = None) -> Path | None:
    """Return the folder of the user's own records, which need not exist; None where no records are to be used."""
    given = str(schedules) if schedules is not None else os.environ.get(VARIABLE, "")
    if given == NONE:
        return None
    if given:
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME", "")
    home = base if os.path.isabs(base) else os.path.expanduser(HOME)
    return Path(home) / "mnv2c" / "schedules"


def own_file(entry: str, schedules: str | Path | None = None) -> Path:
    """Return the file that records of target ``entry`` are appended to; UserError where there is to be none."""
    folder = own_folder(schedules)
    if folder is None:
        raise UserError(f'schedules "{NONE}": records need a folder; give --schedules DIR or unset {VARIABLE}')
    if folder.parts[0] == "~":
        raise UserError("records need a folder, and this user has no home; give --schedules DIR")
    return folder / f"{_file_name(entry)}.jsonl"


def own_files(entry: str, schedules: str | Path | None = None) -> list[Path]:
    """Return the user's existing files for target ``entry``, sorted; UserError for a folder that was given in vain.

    A folder may also be laid out as the shipped one is.
    """
    folder = existing_folder(schedules)
    if folder is None:
        return []
    name = _file_name(entry)
    return [path for path in (folder / f"{name}.jsonl", *_within(folder / name)) if os.path.isfile(path)]


def existing_folder(schedules: str | Path | None = None) -> Path | None:
    """Return the folder of the user's own records, None where there is none; UserError where one was given in vain.

    A home that this user may not even look into has none: whoever gave no folder is not to hear of one.
    """
    folder = own_folder(schedules)
    if folder is None or os.path.isdir(folder):  # unlike Path.is_dir it takes "permission denied" for a no
        return folder
    if schedules is not None or os.environ.get(VARIABLE):
        raise UserError(f'schedules "{folder}": no such folder; give one with records, or the word {NONE}')
    return None


def shipped_files(entry: str) -> list[tuple[str, Path]]:
    """Return the shipped files for target ``entry`` with the folder's name: its own, then those that it shares."""
    folder = data.folder("schedules")
    return [(name, path) for name in names(entry) for path in _within(folder / _file_name(name))]


def names(entry: str) -> list[str]:
    """Return the names under which records that hold for target ``entry`` are kept: its own, then those it shares."""
    sets = _shared(data.folder("schedules") / SHARED)
    return [entry, *(name for name, members in sets.items() if entry in members)]


@cache
def _shared(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CompilerError(f"{path}: not valid TOML: {error}") from error
    return {name: tuple(members) for name, members in table.items()}


def _within(folder: Path) -> list[Path]:
    return sorted(path for pattern in ("*.json", "*.jsonl") for path in folder.glob(pattern))


def _file_name(entry: str) -> str:
    """An own target may be called anything; its file must stay in the folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", entry).lstrip(".") or "_"
