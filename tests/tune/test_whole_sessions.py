"""Sessions of a real network: killed and gone on with on this machine, done twice under the emulator."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from mnv2c.tune.session.session import BATCH
from tests.tune import whole
from tests.tune.devices.conftest import descendants, soon

pytestmark = pytest.mark.slow

TRIALS = 40
COUNT = re.compile(rf"(\d+) of {TRIALS} trials")


@pytest.fixture(autouse=True)
def _search() -> None:
    whole.need_the_search()


@pytest.mark.parametrize("enough", [TRIALS // 3, TRIALS * 9 // 10], ids=["search", "cuts"])
def test_kill_9_in_the_middle_loses_nothing_and_repeats_nothing(
    tmp_path: Path, enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log, programs = tmp_path / "records", tmp_path / "session.log", tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("TMPDIR", str(programs))

    def trials() -> int:
        assert process.poll() is None, log.read_text()
        return sum(not record.default for record in whole.measured(folder))

    with whole.tuning(folder, log, "--trials", str(TRIALS)) as process:
        assert soon(lambda: trials() >= enough, whole.SECONDS), log.read_text()
        started = descendants(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    file = whole.records_file(folder)
    assert file is not None
    before, known = file.read_bytes(), whole.measured(folder)
    told = int(COUNT.findall(log.read_text())[-1])
    assert 0 <= sum(not record.default for record in known) - told <= BATCH, "what was told of is on record"
    assert started and soon(lambda: not any(map(runs, started)), 60), "what the session started ends without it"

    figures = json.loads(whole.run("tune", *whole.NETWORK, "--resume", "--schedules", str(folder), "--json").stdout)
    assert file.read_bytes().startswith(before), "not a byte of what was on record is changed"
    found = whole.measured(folder)
    assert (figures["ended"], figures["trials"]) == ("", TRIALS), "as was asked for at first"
    assert {record.evidence.session for record in found} == {found[0].evidence.session}
    tried = [record for record in found if not record.default]
    assert whole.repeated(tried[:TRIALS]) == 0, "no trial is measured twice"
    assert whole.repeated(tried) == len(tried) - TRIALS, "what comes then is the confirmation, of some of them"
    assert whole.repeated([record for record in found if record.default]) == 0
    assert figures["cost"] <= figures["default_cost"]
    assert list(programs.iterdir()) == [], "nor are programs left, of either session"


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.emulated
def test_the_emulator_finds_the_same_costs_again(tmp_path: Path) -> None:
    options = ("--device", "emulator", "--target", "cortex-a76", "--trials", "16", "--seed", "3")
    first, again = (whole.tune(tmp_path / name, *options) for name in ("first", "again"))
    assert first["unit"] == "cost" and first["cost"] < first["default_cost"]
    assert {**first, "file": "", "seconds": 0} == {**again, "file": "", "seconds": 0}
    assert costs(tmp_path / "first") == costs(tmp_path / "again")


def costs(folder: Path) -> list[tuple[object, ...]]:
    """Everything on record but when and by which session; lanes write in any order."""
    chains, cuts = whole.records(folder)
    found = [(record.label, repr(record.choice), record.confirmed, record.cost, record.ratio) for record in chains]
    return [*sorted(found, key=repr), *((entry.cuts, entry.cost, entry.default_cost) for entry in cuts)]
