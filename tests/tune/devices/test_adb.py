"""A phone behind adb: what adb is asked to do, and what happens where it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mnv2c.errors import DeviceError
from mnv2c.targets import Target
from mnv2c.tune.devices import scripts
from mnv2c.tune.devices.adb import AdbShell, open_url
from mnv2c.tune.devices.address import read_address
from mnv2c.tune.devices.base import Batch
from mnv2c.tune.devices.board import BoardDevice
from mnv2c.tune.devices.retry import Patience
from mnv2c.tune.space.task import Status
from tests.tune.devices.conftest import Adb, Warnings

MAKE = scripts.make

Batches = Callable[..., Batch]


def phone(url: str, target: Target, patience: Patience) -> BoardDevice:
    address = read_address(url)
    return BoardDevice(address, target, AdbShell(address, patience.stop), patience)


def test_adb_is_asked_to_push_run_and_tidy_up(
    adb: Adb, batch: Batches, host: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_url("adb://R58M123ABC?core=0", host) as device:
        found = device.measure(batch(1, 2, 99))
        (folder,) = adb.files()
    assert [result.status for result in found] == [Status.OK, Status.OK, Status.CRASHED]
    assert found[0].conditions == {"core": 0}
    asked = adb.asked()
    assert all(call[:2] == ["-s", "R58M123ABC"] for call in asked)
    assert [call[2] for call in asked] == ["get-state", *["shell"] * 4, "push", *["shell"] * 3]
    (push,) = (call for call in asked if call[2] == "push")
    private = f"/data/local/tmp/{folder}"
    assert push[4] == f"{private}/new"
    scripts_run = [call[3] for call in asked if call[2] == "shell"]
    assert any(f"mkdir {private} " in script for script in scripts_run)
    assert f"cd {private} && ./measure 1 0 1 2 99" in scripts_run[-2]
    assert f"rm -rf {private}" in scripts_run[-1]
    assert adb.files() == [] and not Path(push[3]).exists()
    assert capsys.readouterr().err == ""


def test_the_only_phone_needs_no_serial(adb: Adb, batch: Batches, host: Target, patience: Patience) -> None:
    with phone("adb://", host, patience) as device:
        assert device.measure(batch(7))[0].cost == 7
    assert adb.asked()[0] == ["get-state"]


def test_an_unplugged_phone_is_tried_again(
    adb: Adb, batch: Batches, host: Target, patience: Patience, warnings: Warnings
) -> None:
    with phone("adb://R58M123ABC", host, patience) as device:
        adb.fail("shell", 2, "adb: device 'R58M123ABC' not found")
        assert device.measure(batch(1))[0].valid
    assert "not found" in warnings.text and "trying again" in warnings.text
    assert adb.files() == []


def test_a_phone_that_starts_again_gets_its_program_again(
    adb: Adb, batch: Batches, host: Target, patience: Patience
) -> None:
    with phone("adb://R58M123ABC", host, patience) as device:
        one = batch(1)
        device.measure(one)
        pushes = sum("push" in call for call in adb.asked())
        device.measure(one)
        assert sum("push" in call for call in adb.asked()) == pushes  # it is there already
        adb.fail("shell", 1, "error: device offline")
        assert device.measure(one)[0].valid
        assert sum("push" in call for call in adb.asked()) == pushes + 1


@pytest.mark.parametrize("errors", ["adb: error: failed to copy 'x' to 'y': remote No space left on device", ""])
def test_a_full_disk_is_emptied_of_ours_tried_again_and_reported(
    adb: Adb, batch: Batches, host: Target, patience: Patience, warnings: Warnings, errors: str
) -> None:
    output = "" if errors else "failed to copy 'x' to 'y': No space left on device"  # as old versions say it
    with phone("adb://R58M123ABC", host, patience) as device:
        another = Batch(batch().content + b"\0", (2, 3), 1.0)
        adb.fail("push", 1, errors, output)
        assert device.measure(batch(1))[0].valid
        adb.fail("push", 100, errors, output)
        found = device.measure(another)
        assert [result.status for result in found] == [Status.LOST] * 2
        assert "no room left in /data/local/tmp" in found[0].detail
        assert "adb://R58M123ABC/path/to/folder" in found[0].detail
        assert len(adb.files()) == 1
        adb.fail("push", 0, "")
        assert device.measure(batch(4))[0].valid
    assert adb.files() == []


@pytest.mark.parametrize(
    ("errors", "remedy"),
    [
        ("error: device unauthorized.", "on the phone's screen"),
        ("error: more than one device/emulator", "adb://SERIAL"),
        ("error: insufficient permissions for device: user in plugdev group; no permissions", "udev"),
        ("error: device 'R58M123ABC' not found", "adb devices"),
    ],
)
def test_errors_at_the_start_say_what_to_do(
    adb: Adb, host: Target, patience: Patience, errors: str, remedy: str
) -> None:
    adb.fail("get-state", 100, errors)
    with pytest.raises(DeviceError, match=remedy), phone("adb://R58M123ABC", host, patience):
        pass


def test_without_adb_it_says_what_to_install(
    host: Target, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="apt-get install adb"), phone("adb://", host, patience):
        pass


def test_a_folder_in_which_nothing_may_run_is_an_error(
    adb: Adb, host: Target, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file that may not be run is to a shell what any file is on a file system mounted noexec.
    monkeypatch.setattr(scripts, "make", lambda folder: MAKE(folder).replace("chmod 700", "chmod 600"))
    with pytest.raises(DeviceError, match="no program may run in /data/local/tmp"), phone("adb://", host, patience):
        pass
    assert adb.files() == []


def test_a_session_that_died_is_tidied_up_after(adb: Adb, host: Target, patience: Patience) -> None:
    left = f"mnv2c-tune-{scripts.client()}-4194303-0123abcd"  # one less than the most that Linux gives
    (adb.folder / "phone" / left).mkdir()
    with phone("adb://R58M123ABC", host, patience):
        assert left not in adb.files()
