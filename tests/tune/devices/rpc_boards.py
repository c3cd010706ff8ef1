"""Two of TVM's RPC servers behind its tracker, on loopback: on this machine, or for aarch64 under qemu."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnv2c.tune.devices.retry import UnreachableError
from mnv2c.tune.devices.tracker import Tracker
from tests.tune.devices import stand_in
from tests.tune.devices.conftest import descendants, soon

FOLDER = "MNV2C_ARM_RPC"
"""Environment variable: the folder that ``tools/arm_rpc.sh`` made, by default .arm-rpc in the repository."""

SERVER = Path(__file__).with_name("rpc_server.py")
ROOT = Path(__file__).resolve().parents[3]
KEY = "board"
START_SECONDS = 300
"""TVM takes 45 s to be imported under qemu on a quiet machine."""


Kind = Callable[[], tuple[str, str, list[str], dict[str, str]]]
"""Target, zig's name for it, command and environment of a Python that has TVM; skips the test where there is none."""


@dataclass(frozen=True)
class Started:
    """A server or tracker and its port."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def loaded(self) -> int:
        """How many libraries the server has loaded."""
        return self.log.read_text().count("load_module")

    def kill(self) -> None:
        """End it and what it started, as a power cut would."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


@dataclass(frozen=True)
class Boards:
    """Two servers with ``KEY`` at a tracker, for programs of ``target``; ``library`` is the stand-in for them."""

    tracker: Started
    servers: list[Started]
    target: str
    library: bytes

    @property
    def url(self) -> str:
        return f"tracker://127.0.0.1:{self.tracker.port}/{KEY}"


def start(log: Path, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    with log.open("w") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)


def started(process: subprocess.Popen[str], log: Path) -> Started:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], START_SECONDS)[0], log.read_text()
    line = process.stdout.readline()
    assert line, log.read_text()
    return Started(process, int(line), log)


def native() -> tuple[str, str, list[str], dict[str, str]]:
    """Target, zig's name for it, command and environment of a Python that has TVM, on this machine."""
    if importlib.util.find_spec("tornado") is None or importlib.util.find_spec("psutil") is None:
        pytest.skip("TVM's RPC needs more packages, so none is tested: pip install mnv2c[tune]")
    return "host", f"{os.uname().machine}-linux-gnu.2.28", [sys.executable], dict(os.environ)


def emulated() -> tuple[str, str, list[str], dict[str, str]]:
    """The same for aarch64 under qemu."""
    native()
    folder = Path(os.environ.get(FOLDER) or ROOT / ".arm-rpc")
    if not (folder / "packages").exists():
        pytest.skip("no RPC server for aarch64 is tested: run `make arm-rpc`")
    qemu = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static") or "qemu-aarch64"
    command = [qemu, "-L", str(folder / "system"), str(folder / "system/usr/bin/python3"), "-B"]
    return "cortex-a76", "aarch64-linux-gnu.2.28", command, {"PYTHONPATH": str(folder / "packages")}


def known(tracker: Started) -> int:
    """How many boards the tracker has."""
    try:
        return Tracker("127.0.0.1", tracker.port, KEY).count()
    except UnreachableError:
        return 0


@contextmanager
def running_boards(kind: Kind, folder: Path) -> Iterator[Boards]:
    """Start all of them, with their logs in ``folder``; at the end none is left."""
    target, triple, command, environment = kind()
    library = stand_in.build(folder, triple, "-DSHARED", "-shared", "-fPIC")
    running: list[subprocess.Popen[str]] = []
    try:
        log = folder / "tracker.log"
        running.append(start(log, [sys.executable, str(SERVER), "tracker"], dict(os.environ)))
        tracker = started(running[0], log)
        logs = [folder / f"server{number}.log" for number in range(2)]
        arguments = [str(SERVER), "server", str(tracker.port), KEY]
        running += [start(log, [*command, *arguments], environment) for log in logs]
        servers = [started(process, log) for process, log in zip(running[1:], logs, strict=True)]
        assert soon(lambda: known(tracker) == 2)
        yield Boards(tracker, servers, target, library)
    finally:
        for process in running:
            Started(process, 0, folder).kill()
