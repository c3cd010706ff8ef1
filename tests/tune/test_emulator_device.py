"""Measuring without a board: hand-made candidates under qemu."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.benchmark import plugin
from mnv2c.benchmark.counts import Counts
from mnv2c.errors import DeviceError, UserError
from mnv2c.runtime import emulator
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.emulator import EmulatorDevice, cost
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.space.task import Status
from tests.tune import handmade

NAMES = ["equal", "slow", "strips", "phases", "in_place", "wrong", "crash", "hang", "overrun"]
STATUSES = [Status.OK] * 5 + [Status.WRONG, Status.CRASHED, Status.HUNG, Status.WRONG]


@pytest.mark.emulated
def test_candidates_are_counted_and_bad_ones_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnv2c.tune.devices.emulator.LIMIT_FACTOR", 10.0)
    with open_device("emulator", targets.load("cortex-a53"), threads=2) as device:
        batch = handmade.batch(NAMES, "cortex-a53", threads=2, limit=0.5)
        found = device.measure(batch)
        again = device.measure(batch)
        assert device.lanes >= 1 and "cortex-a53" in device.machine().system
    assert [result.status for result in found] == STATUSES, found
    assert [result.cost for result in found] == [result.cost for result in again]
    equal, slow, strips, phases, in_place = found[:5]
    assert equal.ratio == pytest.approx(1.0, abs=1e-3)
    assert slow.ratio is not None and slow.ratio > 4
    assert strips.cost is not None and strips.conditions["instructions"] > strips.cost * 0.5  # parts run together
    assert phases.valid and in_place.valid


@pytest.mark.emulated
def test_the_program_measures_on_arm(tmp_path: Path) -> None:
    """The program of a board: the same, run by qemu."""
    qemu = emulator.find_qemu("aarch64")
    assert qemu is not None
    batch = handmade.batch(["equal", "crash", "phases", "hang"], "cortex-a76", threads=2)
    program = tmp_path / "measure"
    program.write_bytes(batch.content)
    program.chmod(0o700)
    done = subprocess.run(
        [qemu, str(program), "2", "0", "1", "2", "3", "4"], capture_output=True, text=True, check=True
    )
    found = read_answers(done.stdout, batch.numbers)
    assert [result.status for result in found] == [Status.OK, Status.CRASHED, Status.OK, Status.HUNG], done.stderr


def test_costs_weigh_misses() -> None:
    assert cost(Counts(1000, 0, 0, 10, 1)) == 1000 + 4 * 10 + 20
    assert cost(Counts(1000, 9, 9, 0, 0)) == 1000


def test_what_the_emulator_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="AVX-512"):
        open_device("emulator", targets.load("x86-64-v4"))
    with pytest.raises(UserError, match="--target"):
        open_device("emulator://cortex-a53", targets.load("cortex-a53"))
    monkeypatch.setattr(plugin.shutil, "which", lambda name: None)
    with pytest.raises(DeviceError, match="apt-get install qemu-user"), EmulatorDevice(targets.load("cortex-a53")):
        pass
