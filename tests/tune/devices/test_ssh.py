"""A board behind ssh, end to end: the sshd is real, on loopback; and what may go wrong with one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnv2c.errors import DeviceError
from mnv2c.targets import Target, load
from mnv2c.tune.devices import scripts
from mnv2c.tune.devices.address import read_address
from mnv2c.tune.devices.base import Batch, Form
from mnv2c.tune.devices.board import BoardDevice
from mnv2c.tune.devices.retry import Patience
from mnv2c.tune.devices.ssh import SshShell, open_url
from mnv2c.tune.space.task import Status
from tests.tune.devices.conftest import Sshd, Warnings, in_thread, soon

Batches = Callable[..., Batch]


def board(url: str, target: Target, patience: Patience) -> BoardDevice:
    address = read_address(url)
    return BoardDevice(address, target, SshShell(address, patience.stop), patience)


def test_measures_and_leaves_nothing(
    sshd: Sshd, batch: Batches, host: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    device = open_url(f"{sshd.url}?core=any", host)
    with device:
        assert (device.form, device.unit, device.lanes) == (Form.EXECUTABLE, "s", 1)
        machine = device.machine()
        assert machine.cores >= 1 and machine.system.startswith("Linux")
        found = device.measure(batch(1, 2, 99))
        again = device.measure(batch(5))
        assert len(sshd.files()) == 1 and scripts.NAME.fullmatch(sshd.files()[0])
        assert (sshd.folder / "board" / sshd.files()[0]).stat().st_mode & 0o777 == 0o700
    assert [(result.status, result.cost) for result in [*found, *again]] == [
        (Status.OK, 1), (Status.OK, 2), (Status.CRASHED, None), (Status.OK, 5),
    ]  # fmt: skip
    assert found[0].device == device.url
    assert found[0].conditions == {"core": -1}
    assert sshd.files() == []
    assert capsys.readouterr().err == ""


def test_pins_to_the_last_core_unless_told_otherwise(
    sshd: Sshd, batch: Batches, host: Target, patience: Patience
) -> None:
    with board(sshd.url, host, patience) as device:
        (result,) = device.measure(batch(1))
    online = Path("/sys/devices/system/cpu/online").read_text()
    assert result.conditions["core"] == int(online.strip().replace("-", ",").split(",")[-1])


def test_a_reboot_costs_the_candidate_in_flight_and_no_other(
    sshd: Sshd, batch: Batches, host: Target, patience: Patience, warnings: Warnings
) -> None:
    def reboot() -> None:
        time.sleep(0.6)
        sshd.stop()
        shutil.rmtree(sshd.folder / "board")  # /tmp is empty after a boot
        (sshd.folder / "board").mkdir()
        time.sleep(0.3)
        sshd.start()

    patience.pauses = (0.2, 0.5, 1.0, 2.0, 4.0)
    numbers = tuple(range(1100, 1112))
    with board(sshd.url, host, patience) as device:
        thread, _ = in_thread(reboot)
        found = device.measure(batch(*numbers))
        thread.join()
    assert [result.cost for result in found] == list(numbers)
    assert "trying again" in warnings.text
    assert sshd.files() == []


def test_a_board_that_stays_away_loses_what_is_left(
    sshd: Sshd, batch: Batches, host: Target, patience: Patience, warnings: Warnings
) -> None:
    def lose() -> None:
        soon(lambda: sshd.runs("31000"))
        time.sleep(1.0)  # the first candidate answers at once, the second takes half a minute
        sshd.stop()

    with board(sshd.url, host, patience) as device:
        thread, _ = in_thread(lose)
        found = device.measure(batch(1, 31000, 3))
        thread.join()
        before = len(warnings.lines)
        later = device.measure(batch(1, 2))
        assert len(warnings.lines) - before == 2  # one more try per batch, not all of them
        sshd.start()
        assert [result.status for result in device.measure(batch(3))] == [Status.OK]
    assert [result.status for result in found] == [Status.OK, Status.LOST, Status.LOST]
    assert [result.status for result in later] == [Status.LOST] * 2
    assert "given up" in warnings.text


def test_a_candidate_that_ends_the_program_crashed_and_the_others_are_measured(
    sshd: Sshd, batch: Batches, host: Target, patience: Patience
) -> None:
    with board(sshd.url, host, patience) as device:
        found = device.measure(batch(1, 666, 2))
    assert [result.status for result in found] == [Status.OK, Status.CRASHED, Status.OK]
    assert "status 3" in found[1].detail


def test_a_program_that_is_killed_once_is_started_again(
    sshd: Sshd, batch: Batches, host: Target, patience: Patience, warnings: Warnings
) -> None:
    def kill() -> None:
        assert soon(lambda: bool(running(sshd)))
        for pid in running(sshd):
            os.kill(pid, signal.SIGKILL)

    with board(sshd.url, host, patience) as device:
        thread, _ = in_thread(kill)
        found = device.measure(batch(1, 1800, 2))
        thread.join()
    assert all(result.valid for result in found)
    assert "ended" in warnings.text


def running(sshd: Sshd) -> list[int]:
    """The measuring programs that run out of the board's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "exe").startswith(f"{sshd.folder}/board/"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_what_a_killed_session_left_is_gone_at_once(sshd: Sshd, program: bytes, tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(program)
    code = (
        "import sys; from pathlib import Path; from mnv2c.targets import load\n"
        "from mnv2c.tune.devices.base import Batch; from mnv2c.tune.devices.ssh import open_url\n"
        "with open_url(sys.argv[1], load('host')) as device:\n"
        "    device.measure(Batch(Path(sys.argv[2]).read_bytes(), (61000,), 60.0))\n"
    )
    session = subprocess.Popen([sys.executable, "-c", code, sshd.url, str(tmp_path / "program")])
    try:
        assert soon(lambda: bool(running(sshd)), 30)
    finally:
        session.kill()
        session.wait()
    assert soon(lambda: sshd.files() == [] and running(sshd) == [])


def test_left_overs_of_dead_sessions_are_removed_and_no_others(sshd: Sshd, host: Target, patience: Patience) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    mine, digits = scripts.client(), "0123abcd"
    other = "00000000" if mine != "00000000" else "11111111"
    gone = f"mnv2c-tune-{mine}-{dead.pid}-{digits}"
    kept = [f"mnv2c-tune-{mine}-{os.getpid()}-{digits}", f"mnv2c-tune-{other}-{dead.pid}-{digits}", "mnv2c-tune-x"]
    for name in [gone, *kept]:
        (sshd.folder / "board" / name).mkdir()
        (sshd.folder / "board" / name / "measure").write_text("")
    with board(sshd.url, host, patience):
        assert gone not in sshd.files()
    assert sshd.files() == sorted(kept)


def test_an_unknown_host_key_is_refused_with_the_remedy(sshd: Sshd, host: Target, patience: Patience) -> None:
    (sshd.folder / "known").write_text("")
    with (
        pytest.raises(DeviceError, match=rf"connect once by hand \(ssh -p {sshd.port} "),
        board(sshd.url, host, patience),
    ):
        pass


def test_a_refused_user_is_told_how_to_send_a_key(sshd: Sshd, host: Target, patience: Patience) -> None:
    (sshd.folder / "authorized").write_text("")
    with pytest.raises(DeviceError, match="ssh-copy-id"), board(sshd.url, host, patience):
        pass


def test_a_board_that_is_off_is_an_error_after_a_few_tries(
    sshd: Sshd, host: Target, patience: Patience, warnings: Warnings
) -> None:
    sshd.stop()
    with pytest.raises(DeviceError, match="try by hand: ssh -p"), board(sshd.url, host, patience):
        pass
    assert "(1 of 1)" in warnings.text


def test_another_cpu_than_the_target_is_an_error(sshd: Sshd, patience: Patience) -> None:
    name = "cortex-a76" if os.uname().machine == "x86_64" else "x86-64-v3"
    with pytest.raises(DeviceError, match="--target"), board(sshd.url, load(name), patience):
        pass
    assert sshd.files() == []


def test_a_folder_that_cannot_be_made_is_an_error(sshd: Sshd, host: Target, patience: Patience) -> None:
    (sshd.folder / "file").write_text("")
    url = sshd.url.replace("/board", "/file")
    with pytest.raises(DeviceError, match="give another"), board(url, host, patience):
        pass


def test_leaving_ends_a_batch_in_another_thread(sshd: Sshd, batch: Batches, host: Target, patience: Patience) -> None:
    device = board(sshd.url, host, patience)
    with device:
        thread, results = in_thread(lambda: device.measure(batch(1, 31000)))
        assert soon(lambda: bool(running(sshd)))
        time.sleep(0.3)
        start = time.monotonic()
    thread.join(5)
    assert time.monotonic() - start < 5
    assert [result.status for result in results[0]] == [Status.OK, Status.LOST]  # type: ignore[attr-defined]
    assert sshd.files() == [] and running(sshd) == []
