"""Sessions from the command line to a library: on a board behind ssh, on a phone behind adb, on boards at a tracker."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnv2c.records.record import ChainRecord
from mnv2c.tune.space.task import Status
from tests.tune import whole
from tests.tune.devices.conftest import Adb, Sshd, soon
from tests.tune.devices.rpc_boards import Boards, Started, emulated, native, running_boards

pytestmark = pytest.mark.slow

TRIALS = 20
LATE = 2
"""A busy machine may keep so many candidates from running for the 2 s that each has; quiet ones have none."""

SERIAL = "R58M123ABC"
RUN = re.compile(r"cd (?P<folder>\S+) && \./measure \S+ (?P<core>\S+) (?P<numbers>[0-9 ]+)")


@pytest.fixture(autouse=True)
def _search() -> None:
    whole.need_the_search()


@pytest.fixture
def boards(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Boards]:
    with running_boards(request.param, tmp_path) as running:
        yield running


def check_records(folder: Path, device: str) -> list[ChainRecord]:
    """What was measured, all of it valid: every trial asked for, nothing lost, each once but for the confirmation."""
    found = whole.measured(folder)
    late = [record for record in found if record.status == Status.HUNG]
    assert len(late) <= LATE
    assert all(record.valid and record.device == device for record in found if record not in late)
    trials = [record for record in found if not record.default]
    assert whole.repeated(trials[:TRIALS]) == 0
    assert whole.repeated(trials) == len(trials) - TRIALS
    assert whole.repeated([record for record in found if record.default]) == 0
    assert all(record.ratio is not None and record.ratio <= 1 for record in whole.decided(folder).values())
    return found


def check_figures(folder: Path, figures: dict[str, Any], device: str) -> None:
    """What a session prints is what is on record."""
    (cuts,) = whole.records(folder)[1]
    assert (figures["device"], figures["trials"], figures["known"]) == (device, TRIALS, 0)
    assert (cuts.device, cuts.cost, cuts.default_cost) == (device, figures["cost"], figures["default_cost"])
    better = {record.label for record in whole.decided(folder).values() if not record.default}
    tuned = {chain["label"] for chain in figures["chains"] if chain["state"] == "tuned"}
    assert tuned <= better, "another plan may have been decided for, in which not all of these chains are"


def check_library(folder: Path, figures: dict[str, Any], output: Path) -> None:
    """A library that is compiled with the records computes right numbers, with the plan that was decided for."""
    whole.run("compile", *whole.NETWORK, "--seed", "1", "--schedules", str(folder), "-o", str(output), "-q")
    assert json.loads(whole.run("verify", str(output), "--json").stdout)["passed"]
    (file,) = (path for path in output.glob("*.json") if not path.name.endswith(".spdx.json"))
    chains = {chain["name"]: chain["tuned"] for chain in json.loads(file.read_text())["chains"]}
    tuned = [tuned for tuned in chains.values() if tuned is not None]
    assert {entry["source"] for entry in tuned} <= {"own"}
    assert len(chains) == sum(chain["times"] for chain in figures["chains"])
    assert len(tuned) == sum(chain["times"] for chain in figures["chains"] if chain["state"] == "tuned")
    for chain in figures["chains"]:
        found = chains[chain["label"]]
        assert (1.0 if found is None else found["ratio"]) == pytest.approx(chain["ratio"], abs=1e-6)


def test_a_board_behind_ssh_and_a_library_from_its_records(sshd: Sshd, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    figures = whole.tune(folder, "--device", sshd.url, "--trials", str(TRIALS))
    check_records(folder, sshd.url)
    check_figures(folder, figures, sshd.url)
    assert sshd.files() == [], "nothing is left on the board"
    check_library(folder, figures, tmp_path / "library")


def test_a_phone_behind_adb(adb: Adb, tmp_path: Path) -> None:
    folder, url = tmp_path / "records", f"adb://{SERIAL}?core=0"
    figures = whole.tune(folder, "--device", url, "--trials", str(TRIALS))
    check_figures(folder, figures, url)
    found = check_records(folder, url)
    assert {record.evidence.conditions["core"] for record in found} == {0}

    asked = adb.asked()
    assert all(call[:2] == ["-s", SERIAL] for call in asked)
    verbs = Counter(call[2] for call in asked)
    assert set(verbs) == {"get-state", "push", "shell"} and verbs["get-state"] == 1
    runs = [match for call in asked if call[2] == "shell" and (match := RUN.search(call[3]))]
    assert len(runs) == verbs["push"], "a program for every batch"
    measured = sum(len(match["numbers"].split()) for match in runs)
    assert measured == len(found) + figures["weighed"], "nothing was measured in vain"
    assert {match["core"] for match in runs} == {"0"}
    assert len({match["folder"] for match in runs}) == 1 and f"rm -rf {runs[0]['folder']}" in asked[-1][3]
    assert adb.files() == []


@pytest.mark.parametrize(
    "boards", [native, pytest.param(emulated, marks=pytest.mark.emulated)], ids=["native", "aarch64"], indirect=True
)
def test_two_boards_at_a_tracker_of_which_one_is_killed(boards: Boards, tmp_path: Path) -> None:
    folder, log = tmp_path / "records", tmp_path / "session.log"
    options = ("--target", boards.target, "--device", boards.url, "--allow-rpc", "--trials", str(TRIALS))
    killed, left = boards.servers

    def both() -> bool:
        assert process.poll() is None, log.read_text()
        return used(whole.measured(folder)) == {address(killed), address(left)}

    with whole.tuning(folder, log, *options) as process:
        assert soon(both, whole.SECONDS), log.read_text()
        before = killed.loaded()
        assert soon(lambda: killed.loaded() > before, whole.SECONDS), log.read_text()
        killed.kill()  # just when it was given a batch
        at = len(whole.measured(folder))
        assert process.wait(whole.SECONDS) == 0, log.read_text()
    said, found = log.read_text(), check_records(folder, boards.url)
    assert "trying again" in said and "given up" not in said
    assert at < TRIALS and address(left) in used(found[at:])
    assert used(found[-1:]) == {address(left)}
    assert len(whole.records(folder)[1]) == 1, "where to cut is decided when all else is"


def address(server: Started) -> str:
    return f"127.0.0.1:{server.port}"


def used(found: list[ChainRecord]) -> set[object]:
    """The boards that results come from."""
    return {record.evidence.conditions["board"] for record in found}
