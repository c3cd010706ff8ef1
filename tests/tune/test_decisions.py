"""What counts as surely faster, what is measured again, and what a plan costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnv2c.tune.measure.peak import peak
from mnv2c.tune.session import replan
from mnv2c.tune.session.certainty import highest_ratio, surely_faster
from mnv2c.tune.session.chain_state import CONTENDERS, PATIENCE, ChainState
from mnv2c.tune.session.session import Limits, Session
from mnv2c.tune.space.task import Measured, Status
from tests.tune.session_fakes import FakeDevice, FakeSearch, numbered, problem

TUNABLE = problem()
TASK = TUNABLE.tasks(TUNABLE.cuts)[0]


def found(ratio: float, spread: float = 0.0, rounds: int = 20, status: Status = Status.OK) -> Measured:
    return Measured(status, ratio * 1e-3, ratio, spread, costs=(ratio * 1e-3,) * rounds)


def state(*ratios: float) -> ChainState:
    made = ChainState(TASK, FakeSearch(TASK, list(range(100))))
    made.propose(len(ratios) + 1)
    made.learn([(TASK.default, found(1.0)), *((numbered(TASK, n), found(ratio)) for n, ratio in enumerate(ratios))])
    return made


@pytest.mark.parametrize(
    ("measured", "sure"),
    [
        (found(0.9), True),
        (found(0.997, spread=0.001), False),  # where code lies may make as much of a difference
        (found(0.997), True),  # counted, not timed
        (found(0.9995), False),
        (found(1.1), False),
        (found(0.9, spread=0.1, rounds=50), True),
        (found(0.9, spread=0.3, rounds=9), False),
        (found(0.5, status=Status.WRONG), False),
        (Measured(Status.CRASHED), False),
    ],
)
def test_surely_faster(measured: Measured, sure: bool) -> None:
    assert surely_faster(measured) is sure


def test_more_rounds_make_surer() -> None:
    few, many = found(0.9, 0.1, rounds=4), found(0.9, 0.1, rounds=400)
    assert highest_ratio(few) > highest_ratio(many) > 0.9


def test_only_the_rounds_of_the_worse_state_make_its_ratio_sure() -> None:
    plain = found(0.9, 0.1, rounds=40)
    states = replace(plain, conditions={"rounds": 40, "ratios": [0.9, 0.88]})
    assert highest_ratio(states) == highest_ratio(found(0.9, 0.1, rounds=20)) > highest_ratio(plain)


@pytest.mark.parametrize("broken", [[None, 1], [1.0], [0, 1], ["1", "2"], 5, None])
def test_costs_of_states_that_make_no_sense_are_left_out(broken: object) -> None:
    chosen = ChainState(TASK, FakeSearch(TASK, [0, 1]))
    chosen.propose(3)
    good = replace(found(0.9), conditions={"default_costs": [2e-3, 1e-3]})
    chosen.learn([(numbered(TASK, 0), replace(found(1.0), conditions={"default_costs": broken}))])
    assert chosen.default_costs is None
    chosen.learn([(numbered(TASK, 1), good)])
    assert chosen.default_costs == (2e-3, 1e-3)


def test_the_best_few_are_contenders_and_the_default_never() -> None:
    chosen = state(0.95, 0.8, 1.2, 0.9, 0.7, 0.9997)
    assert chosen.contenders() == tuple(numbered(TASK, number) for number in (4, 1, 3))
    assert len(chosen.contenders()) == CONTENDERS
    assert state(1.1, 0.9997).contenders() == ()


def test_the_confirmation_decides_by_what_it_measured() -> None:
    chosen = state(0.7, 0.8)
    lucky, good = numbered(TASK, 0), numbered(TASK, 1)
    chosen.confirm([(lucky, found(0.97, spread=0.5)), (good, found(0.82))])
    assert chosen.decision is not None
    assert (chosen.decision.choice, chosen.decision.ratio) == (good, 0.82)
    assert chosen.contenders() == (), "all that is known was weighed"
    chosen.learn([(numbered(TASK, 5), found(0.6))])
    assert chosen.contenders() == (numbered(TASK, 5), good), "the earlier winner is measured beside the new one"
    chosen.confirm([(numbered(TASK, 5), found(1.3)), (good, found(1.0))])
    assert (chosen.decision.choice, chosen.decision.ratio) == (TASK.default, 1.0)


def test_a_confirmation_that_is_lost_decides_nothing() -> None:
    chosen = state(0.7)
    chosen.confirm([(numbered(TASK, 0), Measured(Status.LOST))])
    assert chosen.decision is None


def test_what_a_device_keeps_losing_is_given_up() -> None:
    chosen = ChainState(TASK, FakeSearch(TASK, []))
    for _ in range(PATIENCE + 1):
        choices = chosen.propose(4)
        assert choices == (TASK.default,)
        chosen.learn([(choice, Measured(Status.LOST)) for choice in choices])
    assert chosen.propose(4) == ()
    assert chosen.trials == 0


def test_a_chain_begins_with_its_default() -> None:
    chosen = ChainState(TASK, FakeSearch(TASK, [0, 1, 2, 3]))
    assert chosen.propose(2) == (TASK.default, numbered(TASK, 0), numbered(TASK, 1))
    assert chosen.busy
    assert chosen.propose(3) == (numbered(TASK, 2), numbered(TASK, 3))


def test_plans_follow_measured_costs() -> None:
    tasks = {task.label: task.chain for task in TUNABLE.tasks_of(lambda chain: True)}
    costs = {tasks[label]: cost for label, cost in {"n0": 1.0, "n2": 3.0, "n3": 4.0, "n4": 5.0}.items()}
    first = replan.replanned(TUNABLE, costs, measured_only=True)
    assert first is not None
    assert replan.starts(first) == (0, 1, 2, 3, 4)
    assert replan.cost_of(TUNABLE, first, costs) == 14
    joined = {**costs, tasks["n2_to_n3"]: 6.95}
    second = replan.replanned(TUNABLE, joined, measured_only=True)
    assert second is not None
    assert replan.starts(second) == (0, 1, 2, 4)
    assert not replan.surely_cheaper(TUNABLE, second, first, joined), "6.95 for 7 is within the noise"
    assert replan.surely_cheaper(TUNABLE, second, first, {**joined, tasks["n2_to_n3"]: 6.5})
    assert not replan.surely_cheaper(TUNABLE, first, first, joined)


def test_an_old_record_s_one_cost_stands_for_both_states() -> None:
    """New cuts are judged in both states even where a chain was measured before they were told."""
    made, tasks = Session(TUNABLE, FakeDevice(), None, None, Limits(0)), TUNABLE.tasks(TUNABLE.cuts)  # type: ignore[arg-type]
    for number, task in enumerate(tasks):
        known = made.states[task.chain] = ChainState(task, FakeSearch(task, []))
        conditions = {} if number == 0 else {"default_costs": [3e-3, 1e-3]}
        known.learn([(task.default, Measured(Status.OK, 2e-3, 1.0, 0.0, conditions=conditions))])
    in_memory, in_cache = made._state_costs()
    assert (in_memory[tasks[0].chain], in_cache[tasks[0].chain]) == (2e-3, 2e-3)
    assert (in_memory[tasks[1].chain], in_cache[tasks[1].chain]) == (3e-3, 1e-3)


def test_without_costs_the_plan_is_the_predicted_one() -> None:
    plan = replan.replanned(TUNABLE, {})
    assert plan is not None
    assert replan.starts(plan) == replan.starts(TUNABLE.cuts)
    assert replan.replanned(TUNABLE, {}, measured_only=True) is None


def test_the_peak_is_plausible() -> None:
    from mnv2c import targets

    host = targets.load("host")
    one, two = peak(host, 1), peak(host, 2)
    if one is None or two is None:
        pytest.skip(f"no loop of multiply-adds for {host.isa}")
    assert 1e9 < one < 1e12
    assert 1.2 < two / one < 3.5, "of two cores, though clocks change"
    foreign = targets.load("cortex-a76" if host.arch == "x86_64" else "x86-64-v3")
    assert peak(foreign, 1) is None
