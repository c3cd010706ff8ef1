"""What a killed session left on this machine is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnv2c.targets import Target
from mnv2c.tune.devices import private, scripts
from mnv2c.tune.devices.local import LocalDevice

DIGITS = "0123abcd"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private folders are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def running(folder: Path, dead: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program of a session that was killed, which goes on."""
    left = folder / f"mnv2c-tune-{scripts.client()}-{dead}-{DIGITS}"
    left.mkdir()
    shutil.copy(shutil.which("sleep") or "/bin/sleep", left / scripts.PROGRAM)
    process = subprocess.Popen([left / scripts.PROGRAM, "600"])
    yield process
    process.kill()
    process.wait()


def test_what_a_killed_session_left_ends_and_is_removed(
    folder: Path, running: subprocess.Popen[bytes], host: Target
) -> None:
    with LocalDevice(host):
        assert running.wait(10) != 0
        (own,) = folder.iterdir()
        assert scripts.NAME.fullmatch(own.name) and own.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


def test_what_others_use_or_made_is_left_alone(folder: Path, dead: int) -> None:
    foreign = folder / "elsewhere"
    link = folder / f"mnv2c-tune-{scripts.client()}-{dead}-{DIGITS}"
    names = [f"mnv2c-tune-{scripts.client()}-{os.getpid()}-{DIGITS}", f"mnv2c-tune-00000000-{dead}-{DIGITS}"]
    for path in (foreign, *(folder / name for name in (*names, "mnv2c-tune-x"))):
        path.mkdir()
    link.symlink_to(foreign)
    before = sorted(folder.iterdir())
    private.clear()
    assert sorted(folder.iterdir()) == before
