"""The measuring program itself, on a board behind ssh and on a phone behind adb: good candidates, and bad ones."""

from __future__ import annotations

from mnv2c.targets import Target
from mnv2c.tune.devices.base import Device
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.space.task import Status
from tests.tune.devices.conftest import Adb, Sshd
from tests.tune.handmade import batch

NAMES = {"equal": Status.OK, "wrong": Status.WRONG, "crash": Status.CRASHED, "hang": Status.HUNG, "slow": Status.OK}


def check(device: Device) -> None:
    with device:
        found = device.measure(batch(list(NAMES), limit=0.5))
    assert [result.status for result in found] == list(NAMES.values())
    assert all(result.device == device.url for result in found)
    equal, slow = found[0], found[-1]
    assert equal.cost is not None and 0 < equal.cost < 1 and slow.ratio is not None and slow.ratio > 1.5


def test_on_a_board_behind_ssh(sshd: Sshd, host: Target) -> None:
    check(open_device(sshd.url, host))
    assert sshd.files() == []


def test_on_a_phone_behind_adb(adb: Adb, host: Target) -> None:
    check(open_device("adb://R58M123ABC", host))
    assert adb.files() == []
