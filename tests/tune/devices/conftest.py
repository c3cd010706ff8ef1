"""What stands in for boards: an sshd on loopback, a phone behind a recording ``adb``; pauses too short to notice."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mnv2c.targets import Target, load
from mnv2c.tune.devices.base import Batch
from mnv2c.tune.devices.retry import Patience
from tests.sharing import once
from tests.tune.devices import stand_in

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The stand-in of the measuring program for this machine."""
    triple = f"{os.uname().machine}-linux-gnu.2.28"
    return once(tmp_path_factory, "stand-in", lambda folder: stand_in.build(folder, triple))


@pytest.fixture
def host() -> Target:
    return load("host")


@pytest.fixture
def batch(program: bytes) -> Callable[..., Batch]:
    return lambda *numbers: Batch(program, numbers, limit=1.0)


@dataclass
class Warnings:
    """Collects what the user would be told."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def warnings() -> Warnings:
    return Warnings()


@pytest.fixture
def patience(warnings: Warnings) -> Patience:
    return Patience("the board", warnings, (0.05,) * 3, (0.05,) * 2, (0.05,), (0.05,))


@dataclass
class Sshd:
    """An sshd on loopback that can be switched off like a board."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.folder}/board"

    def start(self) -> None:
        assert SSHD is not None
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "sshd.log").open("ab"),
            start_new_session=True,
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        """Kill it and all that it started, as a power cut would."""
        if self.process is not None:
            for pid in [*descendants(self.process.pid), self.process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait()
            self.process = None

    def runs(self, word: str) -> bool:
        """Whether it runs a command with that word."""
        found = descendants(self.process.pid) if self.process is not None else []
        return any(word.encode() in command_line(pid) for pid in found)

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "board").iterdir())


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has ended


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``, the deepest first."""
    try:  # Linux keeps a list for each thread.
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    own = [int(word) for text in lists for word in text.split()]
    return [below for child in own for below in [*descendants(child), child]]


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("OpenSSH is missing, so no ssh:// device is tested: apt-get install openssh-server")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it where it may change users
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "board").mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    (tmp_path / "authorized").write_bytes((tmp_path / "user.pub").read_bytes())
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"SetEnv HOME={tmp_path}\n"  # what this user's shell does at its start is none of our business
    )
    (tmp_path / "ssh_config").write_text(
        f"IdentityFile {tmp_path}/user\nIdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known\n"
        "GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n"
    )
    on_path(tmp_path, monkeypatch, "ssh", f'exec {shutil.which("ssh")} -F {tmp_path}/ssh_config "$@"')
    server = Sshd(tmp_path, port)
    server.start()
    yield server
    server.stop()


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a shell script in front of everything else on PATH."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@dataclass(frozen=True)
class Adb:
    """A phone that is a folder, behind an ``adb`` that notes what it is asked."""

    folder: Path

    def asked(self) -> list[list[str]]:
        log = self.folder / "log"
        return [call.split("\x1f")[:-1] for call in log.read_text().split("\x1e")[:-1]] if log.exists() else []

    def fail(self, verb: str, times: int, errors: str, output: str = "") -> None:
        """Let the next ``times`` calls of a verb say ``errors`` and fail."""
        (self.folder / f"fail-{verb}").write_text(f"{times}\n{errors}\n{output}\n")

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "phone").iterdir())


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adb:
    (tmp_path / "phone").mkdir()
    fake = Path(__file__).parent / "fake_adb.sh"
    on_path(tmp_path, monkeypatch, "adb", f'exec sh {fake} {tmp_path} "$@"')
    return Adb(tmp_path)


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether a condition comes true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_thread(function: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run something meanwhile; its result is in the list when the thread has ended."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    return thread, results
