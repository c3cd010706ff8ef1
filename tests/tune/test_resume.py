"""A session that is cut off, by Ctrl-C or by kill -9, loses nothing and repeats at most the batch in flight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c.errors import UserError
from mnv2c.tune.devices.base import Device
from mnv2c.tune.measure.pipeline import Builds
from mnv2c.tune.session import checkpoint
from mnv2c.tune.session.chain_state import ChainState
from mnv2c.tune.session.checkpoint import Checkpoint, Options
from mnv2c.tune.session.log import SessionLog
from mnv2c.tune.session.run import run_session
from mnv2c.tune.session.session import BATCH
from mnv2c.tune.session.standing import Phase
from mnv2c.tune.space.task import Task
from tests.tune.session_fakes import FakeDevice, asked, environment, problem, records

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import signal
import sys
from pathlib import Path
from mnv2c.tune.session.run import run_session
from tests.tune.session_fakes import FakeDevice, asked, problem, environment
signal.signal(signal.SIGINT, signal.default_int_handler)
result = run_session(problem(), asked(Path(sys.argv[1]), trials=90), environment=environment(FakeDevice(seconds=0.02)))
print(result.ended, result.trials)
"""


def repeated(folder: Path) -> int:
    """How many trials are on record twice, but for what confirmations measured again."""
    lines = [line for line in records(folder)[0] if not line.confirmed]
    trials = Counter((line.chain_id, line.choice) for line in lines)
    return sum(trials.values()) - len(trials)


def cut_off(folder: Path, by: signal.Signals) -> str:
    """Begin a session in a process of its own, and send it a signal when 20 results are on record; what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    file = folder / "x86-64-v3.jsonl"
    until = time.monotonic() + 120
    while not file.exists() or len(file.read_text().splitlines()) < 20:
        assert time.monotonic() < until and process.poll() is None, "the session never got so far"
        time.sleep(0.005)
    process.send_signal(by)
    return process.communicate(timeout=60)[0]


def test_the_signal_of_ctrl_c_ends_a_session_in_order(tmp_path: Path) -> None:
    said = cut_off(tmp_path, signal.SIGINT)
    trials = [line for line in records(tmp_path)[0] if not line.default]
    ended, count = said.split()
    assert ended == "interrupted"
    assert 0 <= len(trials) - int(count) <= BATCH, "a batch may have been kept and not yet be told"
    assert not [line for line in trials if line.status != "ok"], "what dies with the session is no result"


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    assert cut_off(tmp_path, signal.SIGKILL) == ""
    before = records(tmp_path)[0]
    assert 20 <= len(before) < 90

    device = FakeDevice()
    result = run_session(problem(), asked(tmp_path, resume=True), environment=environment(device))
    after = records(tmp_path)[0]
    assert after[: len(before)] == before
    assert {line.evidence.session for line in after} == {before[0].evidence.session}
    assert result.trials == 90, "what was asked for at first, with what was measured before"
    trials = Counter((line.chain_id, line.choice) for line in after if not (line.confirmed or line.default))
    assert len(trials) == 90, "none is lost, none is measured anew"
    assert repeated(tmp_path) <= 9, "but for the contenders at the end"
    assert result.ended == ""


def test_ctrl_c_keeps_all_and_says_how_far_it_came(tmp_path: Path) -> None:
    device = FakeDevice(interrupt_at=5)
    result = run_session(problem(), asked(tmp_path, trials=90), environment=environment(device))
    assert (result.interrupted, result.ended) == (True, "interrupted")
    assert device.closed
    assert result.trials == len([line for line in records(tmp_path)[0] if not line.default]) > 0
    assert not records(tmp_path)[1], "nothing was decided"
    assert {chain.state for chain in result.chains} == {"searching"}

    result = run_session(problem(), asked(tmp_path, resume=True), environment=environment(FakeDevice()))
    assert (result.interrupted, result.trials) == (False, 90)


@pytest.mark.parametrize("begun", [0, 2])
def test_ctrl_c_before_the_first_batch_is_an_interruption_too(tmp_path: Path, begun: int) -> None:
    """``begun`` searches are made until Ctrl-C comes; for 0 it comes while the compiling processes start."""
    usual, made = environment(FakeDevice()), list[Task]()

    def begin(log: SessionLog, seed: int, task: Task) -> ChainState:
        if len(made) == begun:
            raise KeyboardInterrupt
        made.append(task)
        return usual.begin(log, seed, task)

    result = run_session(problem(), asked(tmp_path), environment=replace(usual, begin=begin))
    assert (result.interrupted, result.ended, result.trials, result.cost) == (True, "interrupted", 0, None)
    assert len(result.chains) == begun
    assert 0 <= result.seconds < 60, "not since the machine was started"
    if begun:
        return

    @contextmanager
    def starting(device: Device) -> Iterator[Builds]:
        raise KeyboardInterrupt
        yield

    result = run_session(problem(), asked(tmp_path), environment=replace(usual, builder=starting))
    assert (result.interrupted, result.seconds, result.chains) == (True, 0.0, ())


def test_a_kill_during_the_confirmation_repeats_no_trial(tmp_path: Path) -> None:
    counting = FakeDevice()
    run_session(problem(), asked(tmp_path / "whole", trials=60), environment=environment(counting))
    run_session(
        problem(),
        asked(tmp_path / "cut", trials=60),
        environment=environment(FakeDevice(interrupt_at=counting.batches)),
    )
    rest = FakeDevice()
    result = run_session(problem(), asked(tmp_path / "cut", resume=True), environment=environment(rest))
    assert rest.batches == 1
    assert result.trials == 60
    whole, cut = (
        sorted((line.label, line.ratio) for line in records(tmp_path / name)[0] if line.confirmed)
        for name in ("whole", "cut")
    )
    assert whole == cut


def test_resuming_keeps_the_options_that_are_not_given_anew(tmp_path: Path) -> None:
    run_session(problem(), asked(tmp_path, trials=33, seed=7), environment=environment(FakeDevice(interrupt_at=3)))
    result = run_session(problem(), asked(tmp_path, resume=True), environment=environment(FakeDevice()))
    assert result.trials == 33
    assert {line.evidence.seed for line in records(tmp_path)[0]} == {7}


def test_a_session_that_ended_is_followed_by_a_new_one(tmp_path: Path) -> None:
    run_session(problem(), asked(tmp_path, trials=40), environment=environment(FakeDevice()))
    result = run_session(problem(), asked(tmp_path, trials=70, resume=True), environment=environment(FakeDevice()))
    assert (result.known, result.trials) == (40, 30)


def test_a_network_has_one_session_at_a_time(tmp_path: Path) -> None:
    run_session(problem(), asked(tmp_path, trials=4), environment=environment(FakeDevice()))
    (file,) = (tmp_path / "sessions").glob("*.session")
    before = file.read_text()
    with checkpoint.alone(file), pytest.raises(UserError, match="another session tunes this network"):
        run_session(problem(), asked(tmp_path, trials=8), environment=environment(FakeDevice()))
    assert file.read_text() == before
    run_session(problem(), asked(tmp_path, trials=8), environment=environment(FakeDevice()))
    assert file.read_text() != before


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to resume"):
        run_session(problem(), asked(tmp_path, resume=True), environment=environment(FakeDevice()))


def test_a_damaged_session_is_refused_with_the_way_out(tmp_path: Path) -> None:
    run_session(problem(), asked(tmp_path, trials=33), environment=environment(FakeDevice(interrupt_at=3)))
    (file,) = (tmp_path / "sessions").glob("*.session")
    for content in ("", "[]", '{"schema": 99}', json.dumps({**json.loads(file.read_text()), "options": {}})):
        file.write_text(content)
        with pytest.raises(UserError, match=r"start anew, without --resume"):
            run_session(problem(), asked(tmp_path, resume=True), environment=environment(FakeDevice()))


def test_a_session_file_comes_back_as_it_was(tmp_path: Path) -> None:
    options = Options("m", "host", "local", 2, 300, None, 3)
    kept = Checkpoint(tmp_path / "s" / "x.json", checkpoint.new_session(), options, ("a", "b"))
    kept.reached(Phase.CUTS, 12.5)
    found = checkpoint.load(kept.path)
    assert vars(found) == vars(kept)
    assert [path.name for path in kept.path.parent.iterdir()] == ["x.json"]
