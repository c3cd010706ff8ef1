"""A session's own file, beside the records: what was asked for and how far it came, so that it can be gone on with.

What was measured is in the records, which are complete without it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnv2c.common.files import replace_file
from mnv2c.errors import OutputError, UserError
from mnv2c.tune.session.standing import Phase

SCHEMA = 1


@dataclass(frozen=True)
class Options:
    """What a session was asked for; ``device`` is a URL without its password, ``seed`` that of the search."""

    model: str
    target: str
    device: str
    threads: int
    trials: int
    minutes: float | None
    seed: int


@dataclass(eq=False)
class Checkpoint:
    """``session`` is the name that the session's records carry; ``phase`` and ``seconds`` how far it came."""

    path: Path
    session: str
    options: Options
    chains: tuple[str, ...] = ()
    phase: Phase = Phase.SEARCH
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether the session came to its end."""
        return self.phase == Phase.DONE

    def reached(self, phase: Phase, seconds: float) -> None:
        """Write how far the session has come, whole or not at all; OutputError."""
        self.phase, self.seconds = phase, seconds
        content = {
            "schema": SCHEMA,
            "session": self.session,
            "options": asdict(self.options),
            "chains": list(self.chains),
            "phase": str(phase),
            "seconds": round(seconds, 3),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, (json.dumps(content, indent=1) + "\n").encode())
        except OSError as error:
            raise OutputError(
                f"{self.path}: the session cannot be kept: {error.strerror}; make room or give another --schedules"
            ) from None


def place(records: Path, network_id: str, threads: int) -> Path:
    """Return the file of the last session that tuned a network for the target that ``records`` are for.

    It is JSON, but not called so: what gathers records from folders takes every *.json for some.
    """
    return records.parent / "sessions" / f"{records.stem}-{network_id}-{threads}.session"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other process from the session of ``path``; UserError while one has it. A killed one leaves it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutputError(f"{path}: the session cannot be kept: {error.strerror}; give another --schedules") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{path}: another session tunes this network here; wait for its end, or give another --schedules"
            ) from None
        yield
    finally:
        os.close(file)  # which ends the lock


def new_session() -> str:
    """Return a name that no other session has; they sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def load(path: Path) -> Checkpoint:
    """Read a session's file; UserError where there is none or it is damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError("schema")
        wanted = {entry.name: content["options"][entry.name] for entry in fields(Options)}
        return Checkpoint(
            path,
            str(content["session"]),
            Options(**wanted),
            tuple(content["chains"]),
            Phase(content["phase"]),
            float(content["seconds"]),
        )
    except FileNotFoundError:
        raise UserError(
            f"nothing to resume: no session for this model, target and number of threads ({path}); start one, without "
            f"--resume"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path}: not a session of this version of mnv2c ({reason}); start anew, without --resume"
        ) from None
