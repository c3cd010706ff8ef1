"""A whole session on a made-up device: what it measures, decides, keeps and says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c.errors import UserError
from mnv2c.schedule.identity import chain_id
from mnv2c.tune.session.result import Tuned
from mnv2c.tune.session.run import run_session
from mnv2c.tune.session.standing import Phase, Standing
from mnv2c.tune.space import memory
from mnv2c.tune.space.task import Status
from tests.tune.session_fakes import (
    CHOICES,
    FakeBuilder,
    FakeDevice,
    asked,
    environment,
    number_of,
    problem,
    records,
    true_ratio,
)

ENOUGH = 400
"""Trials for all choices of all chains."""


def tuned(folder: Path, trials: int = ENOUGH, device: FakeDevice | None = None, **said: object) -> Tuned:
    return run_session(
        problem(), asked(folder, trials=trials, **said), environment=environment(device or FakeDevice())
    )  # fmt: skip


def test_every_chain_ends_with_its_best_choice_or_its_default(tmp_path: Path) -> None:
    result = tuned(tmp_path)
    decided = {record.label: record for record in records(tmp_path)[0] if record.confirmed}
    tasks = {task.label: task for task in problem().tasks_of(lambda chain: True)}
    for label in ("n0", "n4"):
        best = min(true_ratio(tasks[label], number) for number in range(CHOICES))
        assert decided[label].ratio == best < 0.8
        assert not decided[label].default
    for label in ("n2", "n3"):  # whose defaults nothing beats
        assert decided[label].default
        assert decided[label].ratio == 1
        assert decided[label].choice == tasks[label].default
    assert all(chain.ratio <= 1 for chain in result.chains)
    assert result.ended == ""


def test_the_plan_is_cut_anew_where_measuring_finds_a_join_faster(tmp_path: Path) -> None:
    result = tuned(tmp_path)
    assert result.recut
    assert [chain.label for chain in result.chains] == ["n0", "n2_to_n3", "n4"]
    (kept,) = records(tmp_path)[1]
    assert kept.cuts == (0, 1, 2, 4)
    assert (kept.cost, kept.default_cost) == (result.cost, result.default_cost)
    assert result.cost is not None and result.default_cost is not None
    assert result.cost < result.default_cost


@pytest.mark.parametrize("cached, recut", [(0.9, True), (1.5, False)])
def test_other_cuts_must_be_faster_wherever_weights_come_from(cached: float, recut: bool, tmp_path: Path) -> None:
    found = environment(FakeDevice(), FakeBuilder(cached=cached))
    result = run_session(problem(), asked(tmp_path, trials=100), environment=found)
    assert result.recut == recut


@pytest.mark.parametrize(
    ("later", "recut", "weighed"), [(1.0, True, ["n2_to_n3", "n2", "n3"] * 3), (2.0, False, ["n2_to_n3", "n2", "n3"])]
)
def test_other_cuts_must_be_faster_when_timed_again_in_turns(
    later: float, recut: bool, weighed: list[str], tmp_path: Path
) -> None:
    """What chains cost is known from different minutes before."""
    builder = FakeBuilder(later=later)
    result = run_session(problem(), asked(tmp_path, trials=100), environment=environment(FakeDevice(unit="s"), builder))
    assert (result.recut, builder.weighed) == (recut, weighed)
    chains, (cut,) = records(tmp_path)
    assert cut.cuts == ((0, 1, 2, 4) if recut else (0, 1, 2, 3, 4))
    assert len({record.label for record in chains if record.default and not record.confirmed}) == sum(
        record.default and not record.confirmed for record in chains
    ), "defaults are on record once"


@pytest.mark.parametrize(
    ("scratch", "enough", "recut"), [(1 << 20, 0.5, False), (1 << 20, 0.95, True), (512, 0.5, True)]
)
def test_other_cuts_must_be_worth_their_memory(
    scratch: int, enough: float, recut: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take nine tenths of the network's time, and what they join much or little memory."""
    monkeypatch.setattr(memory, "ENOUGH", enough)
    monkeypatch.setattr(memory, "WORTH_MUCH", enough)
    result = run_session(problem(scratch), asked(tmp_path, trials=100), environment=environment(FakeDevice()))
    assert result.recut == recut


def test_counted_costs_are_not_weighed_again(tmp_path: Path) -> None:
    builder = FakeBuilder(later=9.0)
    result = run_session(problem(), asked(tmp_path, trials=100), environment=environment(FakeDevice(), builder))
    assert result.recut and not builder.weighed


def test_without_trials_for_other_chains_the_plan_stays(tmp_path: Path) -> None:
    found = environment(FakeDevice(), FakeBuilder({("n2_to_n3", -1): Status.CRASHED, ("n2_to_n3", 0): Status.HUNG}))
    result = run_session(problem(), asked(tmp_path, trials=8), environment=found)
    assert not result.recut
    assert records(tmp_path)[1][0].cuts == (0, 1, 2, 3, 4)


def test_every_trial_is_on_record_once(tmp_path: Path) -> None:
    result = tuned(tmp_path, trials=60)
    lines = records(tmp_path)[0]
    trials = Counter((record.chain_id, record.choice) for record in lines if not (record.confirmed or record.default))
    assert result.trials == len(trials) == 60
    again = [choice for choice, count in trials.items() if count > 1]
    assert len(again) == sum(trials.values()) - 60 <= 9, "only contenders are measured again, at the end"
    assert {record.evidence.session for record in lines} == {lines[0].evidence.session}
    assert {(record.device, record.evidence.cpu, record.unit) for record in lines} == {("fake", "a CPU", "cost")}


def test_equal_seeds_and_costs_give_equal_decisions(tmp_path: Path) -> None:
    results = [tuned(tmp_path / name, trials=100) for name in "ab"]
    first, second = (replace(result, seconds=0, file=Path()) for result in results)
    assert first == second
    lines = [{(line.label, line.choice, line.ratio, line.confirmed) for line in records(tmp_path / n)[0]} for n in "ab"]
    assert lines[0] == lines[1]


def test_a_gain_within_the_noise_keeps_the_default(tmp_path: Path) -> None:
    noisy = FakeBuilder(noise=0.9)
    result = run_session(problem(), asked(tmp_path, trials=ENOUGH), environment=environment(FakeDevice(), noisy))
    assert {chain.state for chain in result.chains} == {"default"}
    assert all(record.default for record in records(tmp_path)[0] if record.confirmed)
    assert {chain.ratio for chain in result.chains} == {1}


def test_a_second_run_measures_nothing_that_was_asked_for_before(tmp_path: Path) -> None:
    first, before = tuned(tmp_path, trials=100), records(tmp_path)
    device = FakeDevice()
    second = tuned(tmp_path, trials=100, device=device)
    assert (second.trials, second.known, device.batches) == (0, first.trials, 0)
    assert records(tmp_path) == before
    assert (second.cost, second.recut) == (first.cost, first.recut)
    assert [chain.ratio for chain in second.chains] == [chain.ratio for chain in first.chains]


def test_a_longer_run_goes_on_from_the_records(tmp_path: Path) -> None:
    tuned(tmp_path, trials=40)
    result = tuned(tmp_path, trials=90)
    assert (result.known, result.trials) == (40, 50)
    trials = Counter(
        (line.chain_id, line.choice) for line in records(tmp_path)[0] if not (line.confirmed or line.default)
    )
    assert len(trials) == 90


def test_records_of_another_cpu_are_not_believed(tmp_path: Path) -> None:
    tuned(tmp_path, trials=40)
    device = FakeDevice(unit="s")
    assert tuned(tmp_path, trials=40, device=device).trials == 40
    assert device.batches > 0


def test_bad_candidates_are_on_record_and_told(tmp_path: Path) -> None:
    bad = {("n0", 0): Status.WRONG, ("n0", 1): Status.CRASHED, ("n4", 0): Status.HUNG, ("n4", 1): Status.UNBUILT}
    seen: list[Standing] = []
    found = environment(FakeDevice(), FakeBuilder(bad))
    result = run_session(problem(), asked(tmp_path, trials=ENOUGH), seen.append, found)
    statuses = {
        (line.label, number_of(line.choice)): line.status for line in records(tmp_path)[0] if line.status != "ok"
    }
    assert statuses == {key: str(status) for key, status in bad.items()}
    notes = " ".join(result.notes)
    assert "n0: 1 computed wrong numbers, 1 crashed (made up: wrong)" in notes
    assert "1 hung" in notes and "1 could not be built" in notes
    assert seen[-1].phase == Phase.DONE
    assert seen[-1].trials == result.trials


def test_a_chain_whose_default_alone_works_keeps_it(tmp_path: Path) -> None:
    bad = {("n0", number): Status.CRASHED for number in range(CHOICES)}
    result = run_session(
        problem(), asked(tmp_path, trials=ENOUGH), environment=environment(FakeDevice(), FakeBuilder(bad))
    )
    assert (result.chains[0].state, result.chains[0].ratio) == ("default", 1)
    assert result.cost is not None


def test_what_a_device_loses_is_measured_again(tmp_path: Path) -> None:
    result = tuned(tmp_path, device=FakeDevice(gone=frozenset({2, 5})))
    chains = {task.label: chain_id(task.chain) for task in problem().tasks(problem().cuts)}
    lines = records(tmp_path)[0]
    assert not [line for line in lines if line.status == "lost"]
    for label, identity in chains.items():
        numbers = {number_of(line.choice) for line in lines if line.chain_id == identity}
        assert numbers == {None, *range(CHOICES)}, label
    assert result.ended == ""


def test_a_device_that_stays_away_ends_the_session_and_nothing_is_lost(tmp_path: Path) -> None:
    device = FakeDevice(gone=frozenset(range(4, 1000)))
    result = tuned(tmp_path, device=device)
    assert result.ended == "unplugged"
    assert device.batches < 10
    assert result.trials == len([line for line in records(tmp_path)[0] if not line.default]) > 0
    assert not records(tmp_path)[1]
    assert device.closed
    session = records(tmp_path)[0][0].evidence.session
    better = tuned(tmp_path, resume=True)
    assert better.ended == ""
    assert better.trials > result.trials
    assert {line.evidence.session for line in records(tmp_path)[0]} == {session}


def test_several_lanes_measure_at_once_and_decide_alike(tmp_path: Path) -> None:
    one, three = (tuned(tmp_path / str(lanes), device=FakeDevice(lanes=lanes)) for lanes in (1, 3))
    assert [(chain.label, chain.ratio) for chain in one.chains] == [
        (chain.label, chain.ratio) for chain in three.chains
    ]


def test_minutes_are_a_limit(tmp_path: Path) -> None:
    result = tuned(tmp_path, device=FakeDevice(seconds=0.01), minutes=0.02)
    assert 0 < result.trials < 120
    assert result.seconds < 2.5
    assert {chain.state for chain in result.chains} <= {"tuned", "default"}, "there was time to confirm"


@pytest.mark.parametrize("said", [{"trials": 0}, {"trials": 5, "minutes": 0.0}])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, said: dict[str, float]) -> None:
    with pytest.raises(UserError, match="give a number"):
        asked(tmp_path, **said).check()
