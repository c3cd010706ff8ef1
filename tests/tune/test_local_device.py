"""Measuring on this machine: what is right is timed, what is wrong costs only itself."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.errors import DeviceError, UserError
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.base import Form
from mnv2c.tune.devices.local import LocalDevice, cpu_name
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.space.task import Measured, Status
from tests.tune import handmade

LIMIT = 1.0
GOOD = ["equal", "slow", "strips", "phases", "in_place"]
BAD = [
    "wrong",
    "nan",
    "incomplete",
    "crash",
    "illegal",
    "hang",
    "error",
    "overrun",
    "underrun",
    "worn",
    "failing",
    "exit",
]


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    """Good and bad candidates of one batch, good ones last."""
    names = [*BAD, *GOOD]
    with open_device("local", targets.load("host")) as device:
        results = device.measure(handmade.batch(names, limit=LIMIT))
    return dict(zip(names, results, strict=True))


@pytest.mark.parametrize("name", GOOD)
def test_a_right_candidate_is_timed_beside_the_default(measured: dict[str, Measured], name: str) -> None:
    found = measured[name]
    assert found.status is Status.OK, found.detail
    assert found.cost is not None and found.ratio is not None and found.spread is not None
    assert 1e-7 < found.cost < 1e-2 and found.error is not None and found.error < 1e-6
    assert found.ratio == pytest.approx(found.cost / float(str(found.conditions["default_cost"])), rel=0.5)
    assert 24 <= len(found.costs) <= 50 and min(found.costs) <= found.cost <= max(found.costs)
    assert found.device == "local" and found.conditions["core"] == max(os.sched_getaffinity(0))


def test_a_slow_candidate_is_found_slow(measured: dict[str, Measured]) -> None:
    assert measured["slow"].ratio is not None and measured["equal"].ratio is not None
    assert measured["slow"].ratio > 2 > measured["equal"].ratio


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("wrong", Status.WRONG, "differs"),
        ("nan", Status.WRONG, "differs"),
        ("incomplete", Status.WRONG, "differs"),
        ("crash", Status.CRASHED, "signal 11"),
        ("illegal", Status.CRASHED, "signal 4"),
        ("hang", Status.HUNG, "not done within"),
        ("error", Status.WRONG, "returned an error"),
        ("overrun", Status.WRONG, "outside"),
        ("underrun", Status.WRONG, "outside"),
        ("worn", Status.WRONG, "differs"),
        ("failing", Status.WRONG, "returned an error"),
        ("exit", Status.CRASHED, "exit code 7"),
    ],
)
def test_a_bad_candidate_costs_only_itself(
    measured: dict[str, Measured], name: str, status: Status, reason: str
) -> None:
    assert (measured[name].status, measured[name].ratio) == (status, None)
    assert reason in measured[name].detail


def test_a_hanging_candidate_takes_no_longer_than_its_limit() -> None:
    with open_device("local", targets.load("host")) as device:
        batch = handmade.batch(["hang", "equal"], limit=0.5)
        start = time.monotonic()
        first, second = device.measure(batch)
    assert (first.status, second.status) == (Status.HUNG, Status.OK)
    assert 0.5 <= time.monotonic() - start < 5


def test_threads_share_the_parts() -> None:
    with open_device("local", targets.load("host"), threads=1) as device:
        names = ["strips", "phases", "equal", "crash"]
        found = device.measure(handmade.batch(names, threads=2))
    assert [result.status for result in found] == [Status.OK] * 3 + [Status.CRASHED], found


def test_the_program_needs_no_libc_and_no_folder_of_its_own(tmp_path: Path) -> None:
    program = tmp_path / "measure"
    program.write_bytes(handmade.batch(["equal"]).content)
    program.chmod(0o700)
    done = subprocess.run([program, "0.5", "-1", "1", "0"], cwd="/", env={}, capture_output=True, text=True, check=True)
    first, default = read_answers(done.stdout, [1, 0])
    assert first.valid and default.valid and len(program.read_bytes()) < 200_000
    assert b"/lib" not in program.read_bytes()


@pytest.mark.parametrize(
    "words", [[], ["1"], ["x", "0", "1"], ["1", "0", "5"], ["1", "0", "1x"], ["count", "9"], ["0", "0", "1"]]
)
def test_wrong_arguments_are_refused(tmp_path: Path, words: list[str]) -> None:
    program = tmp_path / "measure"
    program.write_bytes(_refusing().content)
    program.chmod(0o700)
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 2 and "usage" in done.stderr and not done.stdout


_BATCHES: list[handmade.Batch] = []


def _refusing() -> handmade.Batch:
    if not _BATCHES:
        _BATCHES.append(handmade.batch(["equal"]))
    return _BATCHES[0]


class Any(ctypes.Structure):
    """A value of TVM's foreign function interface."""

    _fields_ = (("type", ctypes.c_int32), ("length", ctypes.c_uint32), ("words", ctypes.c_char_p))


def test_the_shared_form_writes_its_lines_into_a_file(tmp_path: Path) -> None:
    library = tmp_path / "measure.so"
    library.write_bytes(handmade.batch(["equal", "crash", "strips"], threads=2, form=Form.SHARED).content)
    function = ctypes.CDLL(str(library))["__tvm_ffi_mnv2c_measure"]
    output = tmp_path / "lines"
    text = Any(8, 0, f"0.5 -1 {output} 1 2 3".encode())
    result = Any()
    assert function(None, ctypes.byref(text), 1, ctypes.byref(result)) == 0
    assert (result.type, result.words) == (1, None)  # the integer 0
    found = read_answers(output.read_text(), [1, 2, 3])
    assert [answer.status for answer in found] == [Status.OK, Status.CRASHED, Status.OK]
    few = Any(11, 3, None)
    assert function(None, ctypes.byref(few), 1, ctypes.byref(result)) == 0


def test_a_target_of_another_kind_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"aarch64.*ssh://.*emulator"):
        open_device("local", targets.load("cortex-a76"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("locla", 'did you mean "local"'),
        ("local?cores=1", 'did you mean "core"'),
        ("local?core=x", "number"),
        ("local?core=4000", "no core 4000"),
        ("local:7", "this machine"),
        ("http://x", "use local, emulator, ssh"),
    ],
)
def test_a_wrong_url_is_refused_with_what_would_be_right(url: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_device(url, targets.load("host"))


def test_the_machine_describes_itself() -> None:
    with LocalDevice(targets.load("host")) as device:
        machine = device.machine()
    assert machine.cores == len(os.sched_getaffinity(0)) and "Linux" in machine.system and machine.cpu
    assert cpu_name("processor : 0\nmodel name : Some CPU\n") == "Some CPU"
    assert cpu_name("processor : 0\n") == ""
