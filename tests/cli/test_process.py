"""What only a real process shows: signals, closed pipes, and the installed command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to Ctrl-C
from mnv2c import api
from mnv2c.cli.main import main
def inspect(*_, **__):
    print("ready", flush=True)
    time.sleep(30)
api.inspect = inspect
sys.exit(main(["inspect", "m"]))
"""

CHATTERBOX = """
import sys
from mnv2c import api
from mnv2c.cli.main import main
api.inspect = lambda *_, **__: {"text": "x" * 10_000_000}
sys.exit(main(["inspect", "m", "--json"]))
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_interrupt_is_one_line_and_130() -> None:
    process = start(SLEEPER)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "mnv2c: interrupted\n")


def test_a_closed_pipe_is_quiet() -> None:
    process = start(CHATTERBOX)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) == 141
    assert err == ""


def test_module_is_runnable() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mnv2c", "complie"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'did you mean "compile"' in done.stderr
