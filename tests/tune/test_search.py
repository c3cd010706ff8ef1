"""The search finds what a synthetic cost hides, proposes nothing twice, follows its seed, and uses what is known."""

from __future__ import annotations

import sys
from math import log
from random import Random

import pytest

from mnv2c import targets
from mnv2c.errors import UserError
from mnv2c.kernels.microkernels import provider_for
from mnv2c.records.record import ChainRecord
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.tune.model import trees as models
from mnv2c.tune.model.features import Features
from mnv2c.tune.model.known import Known, known, of_task
from mnv2c.tune.model.search import PATIENCE, STARTS, Search
from mnv2c.tune.model.trees import Model, Trials, load_xgboost
from mnv2c.tune.space.task import Measured, Status, Task
from mnv2c.tune.space.ways import Space
from tests.kernels.segments import mask
from tests.tune.test_space import task_of

BATCH = 12


def cost(choice: Choice) -> float:
    """A synthetic ratio, 0.8 at its best: unrolled by 2, tiles of 8 sums, 3 pixels by channel, no prefetch."""
    schedule, found = choice.schedule, 0.8
    for tile in schedule.tiles:
        found += 0.03 * abs(log(tile.unroll / 2)) + 0.02 * abs(log(tile.pixels * tile.vectors / 8))
    for row in schedule.depthwise:
        found += 0.02 * (not row.by_channel) + 0.01 * abs(row.pixels - 3)
    return found + 0.02 * schedule.prefetch


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank fewer candidates with fewer trees: the tests ask for order, not for the last percent."""
    monkeypatch.setattr("mnv2c.tune.model.search.POOL", (150, 150))
    monkeypatch.setattr(models, "ROUNDS", 40)


def measured(choice: Choice, default: Choice) -> Measured:
    return Measured(Status.OK, cost=cost(choice), ratio=cost(choice) / cost(default))


def run(search: Search, trials: int) -> list[Choice]:
    """Search until that many choices were measured, or the search is done."""
    asked: list[Choice] = []
    while len(asked) < trials and not search.done:
        batch = search.propose(min(BATCH, trials - len(asked)))
        for choice in batch:
            search.tell(choice, measured(choice, search.task.default))
        asked += batch
    return asked


def gain(search: Search) -> float:
    return search.best[1] * cost(search.task.default)


def test_a_synthetic_optimum_is_nearly_found() -> None:
    task = task_of(4)
    search = Search(task, 0)
    asked = run(search, 96)
    space, drawn = Space(task), []
    rng = search._rng
    drawn = [cost(space.sample(rng)) for _ in range(96)]
    assert gain(search) < 0.86  # 0.8 is the optimum
    assert gain(search) < min(drawn) - 0.01
    assert len(set(asked)) == len(asked)
    assert task.default not in asked
    assert all(space.contains(choice) for choice in asked)


def test_the_seed_decides_everything() -> None:
    first, second, other = (run(Search(task_of(4), seed), 4 * BATCH) for seed in (3, 3, 4))
    assert first == second
    assert first != other


def test_what_is_known_of_other_chains_helps() -> None:
    teacher = Search(task_of(5), 0)
    asked = run(teacher, 72)
    default = teacher.task.default
    taught = Known(teacher.task, tuple((choice, cost(choice) / cost(default)) for choice in asked))
    searches = [Search(task_of(4), 0, warm) for warm in ([], [taught])]
    for search in searches:
        search._waiting.clear()  # the analytic variants are the same for both
        run(search, 2 * BATCH)
    assert gain(searches[1]) < gain(searches[0])


def test_searches_of_a_session_teach_each_other() -> None:
    """What a peer is told after a search began ranks its candidates, as what was known before would."""
    peers: list[Search] = []
    alone, taught = Search(task_of(4), 0), Search(task_of(4), 0, peers=peers)
    teacher = Search(task_of(5), 0, peers=peers)
    assert peers == [taught, teacher]
    run(teacher, 72)
    assert len(teacher.lessons.ratios) == len(teacher.lessons.vectors) == 72
    for search in (alone, taught):
        search._waiting.clear()
        run(search, 2 * BATCH)
    assert gain(taught) < gain(alone)


def test_known_trials_of_a_chain_are_no_lessons() -> None:
    """They were read for every search already."""
    task = task_of(4)
    asked = run(Search(task, 0), 16)
    trials = tuple((choice, cost(choice) / cost(task.default)) for choice in asked)
    search = Search(task, 0, [Known(task, trials)])
    assert not search.lessons.ratios
    again = run(search, 8)
    assert len(again) == len(search.lessons.ratios) == 8


def test_variants_beyond_the_first_are_ranked_like_all_others() -> None:
    search = Search(task_of(4), 0)
    starts = search.space.starts()
    assert len(starts) > STARTS + 1
    assert search._waiting == starts[1 : STARTS + 1]
    run(search, STARTS)
    assert set(search._pool()) >= set(search._starts)


def test_a_search_that_converged_before_is_done_at_once() -> None:
    task = task_of(4)
    first = Search(task, 0)
    asked = run(first, 400)
    assert first.done and len(asked) < 400
    trials = tuple((choice, cost(choice) / cost(task.default)) for choice in asked)
    again = Search(task, 0, [Known(task, trials)])
    assert again.best == first.best
    assert not set(again.propose(BATCH)) & set(asked)
    assert again.done and again.expected_gain == 0.0


def test_what_was_best_elsewhere_is_measured_first() -> None:
    task = task_of(4)
    there = Search(task, 0)
    run(there, 24)
    best, ratio = there.best
    here = Search(task, 1, elsewhere=[Known(task, ((best, ratio),))], first=(task.default, best))
    assert here.trials == 0 and here.best == (task.default, 1.0)  # not measured here yet
    assert here.propose(1) == [best]


def test_wrong_and_lost_choices() -> None:
    search = Search(task_of(4), 0)
    wrong, lost, *_ = search.propose(BATCH)
    search.tell(wrong, Measured(Status.WRONG, ratio=0.1))
    search.tell(lost, Measured(Status.LOST))
    assert search.best == (search.task.default, 1.0)
    later = [choice for _ in range(6) for choice in search.propose(BATCH)]
    assert lost in later and wrong not in later


def test_the_expected_gain_falls_while_nothing_is_found() -> None:
    search, gains = Search(task_of(4), 0), []
    while not search.done:
        gains.append(search.expected_gain)
        for choice in search.propose(BATCH):
            search.tell(choice, Measured(Status.OK, cost=1.0, ratio=1.01))
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0.0
    assert search.trials >= PATIENCE


def test_records_become_what_a_search_knows() -> None:
    task = task_of(4)
    space = Space(task)
    choices = space.starts()
    records = [
        ChainRecord(
            task.target.entry, 1, "block", chain_id(task.chain), describe(task.chain), choice,
            default=choice == task.default, cost=1.0, ratio=1.0 + index / 100,
        )
        for index, choice in enumerate(choices)
    ]  # fmt: skip
    bad = ChainRecord(
        task.target.entry, 1, "block", chain_id(task.chain), describe(task.chain), choices[1], status="wrong"
    )
    foreign = ChainRecord("cortex-a53", 1, "block", chain_id(task.chain), describe(task.chain), choices[1], ratio=0.5)
    found = known([*records, bad, foreign], targets.load("x86-64-v4"))
    assert len(found) == 1 and len(found[0].trials) == len(choices)
    own, others = of_task(found, task)
    assert len(own) == 1 and not others
    assert Search(task, 0, found).trials == len(choices)
    for threads in (1, 2):
        other = Task(task.label, task.chain, task.target, choices[1], threads)
        assert of_task(found, other) == ([], found)


def test_features_are_numbers_of_the_same_names_for_every_choice() -> None:
    for index in (0, 4, -2, -1):
        space = Space(task_of(index, threads=2))
        features = Features(space)
        names = {tuple(features.named(choice)) for choice in space.starts()}
        assert names == {features.names}
        assert all(abs(value) < 1e6 for choice in space.starts() for value in features.vector(choice))
    assert len({Features(Space(task_of(index))).names for index in (0, 4, -2, -1)}) == 1


def test_a_chain_without_register_tiles_has_the_same_features() -> None:
    """A model learns from all chains of a CPU at once, the resize behind a segmenter's logits among them."""
    chain, target = mask(Random(0)), targets.load("x86-64-v4")
    unit = provider_for("float32", target)
    task = Task("mask", chain, target, Choice(analytic_schedule(chain, unit, target.l2_bytes)))
    features = Features(Space(task))
    assert features.names == Features(Space(task_of(4))).names
    search = Search(task, 0, elsewhere=[Known(task_of(4), ((task_of(4).default, 1.0),))])
    assert run(search, 6) or search.done


def test_a_model_ranks_what_it_has_seen_little_of() -> None:
    space = Space(task_of(4))
    features = Features(space)
    rng = Search(task_of(4), 0)._rng
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(120)))
    vectors, ratios = [features.vector(choice) for choice in drawn], [cost(choice) for choice in drawn]
    model = Model(0)
    assert model.predict(vectors[:3]) == [0.0, 0.0, 0.0] and not model.ready
    model.fit([Trials(vectors[:60], ratios[:60])])
    predicted = model.predict(vectors[60:])
    first = sorted(range(len(predicted)), key=predicted.__getitem__)[:10]
    held = ratios[60:]
    assert sum(held[index] for index in first) / 10 < sorted(held)[len(held) // 4]


def test_without_xgboost_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[tune\]'"):
        load_xgboost()
