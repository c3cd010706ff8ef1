"""SIGTERM and SIGHUP clean up as Ctrl-C does, and take the compilers along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import compiling

WAITING = """
import signal, sys, time
from mnv2c import api
from mnv2c.cli.main import main
def inspect(*_, **__):
    print("ready", flush=True)
    time.sleep({seconds})
    return {{"text": ""}}
api.inspect = inspect
sys.exit(main(["inspect", "m", "--json"]))
"""


def users(folder: Path) -> list[str]:
    """The command lines of processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended, or is not ours
    return found


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "hung up"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_compile_cleans_up_and_ends_its_tools(tmp_path: Path, number: int, code: int, words: str) -> None:
    temporary, output = tmp_path / "temporary", tmp_path / "work" / "out"
    temporary.mkdir()
    model = compiling.network(tmp_path / "net.onnx", 0)
    process = compiling.start(model, output, env=compiling.environment(temporary))
    while process.poll() is None and not users(temporary):  # the compiler works in there
        time.sleep(0.01)
    os.kill(process.pid, number)  # to this process alone, unlike a terminal
    assert compiling.finish(process) == (code, f"mnv2c: {words}\n")
    assert users(temporary) == list(temporary.iterdir()) == []
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


def begin(seconds: float, *before: str) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "-c", WAITING.format(seconds=seconds)]
    process = subprocess.Popen(
        command,
        cwd=compiling.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=compiling.listening,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_nohup_still_helps() -> None:
    process = begin(0.5, "nohup")
    os.kill(process.pid, signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    process.communicate()


def test_a_second_signal_does_not_disturb() -> None:
    process = begin(30)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGTERM)
    assert compiling.finish(process) == (143, "mnv2c: terminated\n")


def test_handlers_are_restored() -> None:
    from mnv2c.cli.main import main

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    assert main(["cmake-dir"]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
