"""Which of many records decides, and where records are looked for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnv2c import targets
from mnv2c.common import data
from mnv2c.errors import UserError
from mnv2c.records import folders, store
from mnv2c.records.best import NOTHING, OWN, SHIPPED, Best, best_of, decide, load_best
from mnv2c.records.record import Record
from mnv2c.schedule.identity import chain_id
from mnv2c.targets import registry
from tests.records.samples import CHAIN, choice, cuts, dated, record


def best(*records: Record, threads: int = 1) -> Best:
    return best_of([(OWN, records)], ["cortex-a76"], threads)


def rows(found: Best) -> int | None:
    known = found.choice(CHAIN)
    return None if known is None else known[0].schedule.rows


def test_the_fastest_choice_wins() -> None:
    found = best(record(rows=1, ratio=0.95), record(rows=2, ratio=0.90), record(rows=3, ratio=0.93))
    assert found.choice(CHAIN) == (choice(2), 0.90)
    assert found.choice(replace(CHAIN, in_place=True)) == (choice(2), 0.90)
    assert found.choice(replace(CHAIN, outputs=("project", "add"))) is None


def test_what_is_not_surely_faster_keeps_the_default() -> None:
    assert best(record(ratio=0.99, spread=0.02), record(ratio=1.1), record(rows=3, ratio=0.5, default=True)) == NOTHING
    assert best(record(status="wrong"), record(status="crashed", ratio=None), record(ratio=0.0)) == NOTHING
    assert not best()


def test_one_lucky_trial_does_not_win() -> None:
    lucky = [record(rows=1, ratio=ratio) for ratio in (0.5, 0.999, 0.995)]
    assert best(*lucky).choice(CHAIN) is None
    assert rows(best(*lucky, record(rows=2, ratio=0.9))) == 2


def test_what_a_session_confirmed_last_decides() -> None:
    old = record(rows=1, ratio=0.80, confirmed=True, evidence=dated("2026-01-01T00:00:00Z"))
    new = record(rows=2, ratio=0.95, confirmed=True, evidence=dated("2026-02-01T00:00:00Z"))
    assert rows(best(new, old, record(rows=3, ratio=0.5))) == 2
    assert rows(best(old, replace(old, choice=choice(7)))) == 7, "of one second the last line"
    default = record(rows=9, ratio=1.0, confirmed=True, default=True, evidence=dated("2026-03-01T00:00:00Z"))
    assert best(new, old, default).choice(CHAIN) is None


def test_times_go_before_counts() -> None:
    counted = record(rows=1, ratio=0.5, unit="cost", spread=0.0, confirmed=True)
    assert rows(best(counted)) == 1
    assert rows(best(counted, record(rows=2, ratio=0.9))) == 2


def test_own_records_go_before_shipped_ones() -> None:
    own, shipped = record(rows=1, ratio=0.95), record(rows=2, ratio=0.80)
    names = ["cortex-a76", "cortex"]
    found = best_of([(OWN, [own]), (SHIPPED, [shipped])], names, 1).kept(CHAIN)
    assert found is not None
    assert (found.choice, found.source) == (choice(1), OWN)
    slower = record(rows=1, ratio=1.2)
    assert rows(best_of([(OWN, [slower]), (SHIPPED, [shipped])], names, 1)) == 2
    default = record(default=True, confirmed=True, ratio=1.0)
    assert best_of([(OWN, [default]), (SHIPPED, [shipped])], names, 1).choice(CHAIN) is None


def test_records_of_others_do_not_count() -> None:
    assert best(record(threads=2)) == best(record(target="cortex-a53"), cuts(target="cortex-a53")) == NOTHING
    assert rows(best(record(threads=2, rows=4), threads=2)) == 4


def test_the_newest_faster_cuts_win() -> None:
    slower = cuts(numbers=(0, 1), cost=1.1, evidence=dated("2027-01-01T00:00:00Z"))
    newer = cuts(numbers=(0, 2), evidence=dated("2026-12-01T00:00:00Z"))
    assert best(slower, newer, cuts()).networks["0123456789abcdef"].cuts == (0, 2)
    assert best(slower) == NOTHING
    assert best(cuts(cost=1.0)).networks["0123456789abcdef"].cuts == (0, 3, 5)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the shipped schedules."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    true_folder = data.folder
    monkeypatch.setattr(data, "folder", lambda name: folder if name == "schedules" else true_folder(name))
    monkeypatch.delenv(folders.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folders._shared.cache_clear()
    return folder


def load(schedules: Any = None, name: str = "cortex-a76") -> Best:
    return load_best(targets.load(name), 1, schedules, lambda text: pytest.fail(text))


def test_the_places_in_which_records_are_looked_for(shipped: Path, tmp_path: Path, monkeypatch: Any) -> None:
    assert load() == NOTHING
    store.replace(shipped / "cortex-a76" / "best.json", [record(rows=5, ratio=0.9)])
    assert rows(load()) == 5
    store.append(tmp_path / "home" / "mnv2c" / "schedules" / "cortex-a76.jsonl", [record(rows=1)])
    assert rows(load()) == 1
    store.append(tmp_path / "other" / "cortex-a76.jsonl", [record(rows=2)])
    monkeypatch.setenv(folders.VARIABLE, str(tmp_path / "other"))
    assert rows(load()) == 2
    store.replace(tmp_path / "given" / "cortex-a76" / "a.json", [record(rows=3)])
    found = load(tmp_path / "given")
    assert rows(found) == 3
    assert found.files == (tmp_path / "given" / "cortex-a76" / "a.json", shipped / "cortex-a76" / "best.json")
    assert load("none") == NOTHING
    monkeypatch.setenv(folders.VARIABLE, "none")
    assert load() == NOTHING
    with pytest.raises(UserError, match="no such folder; give one with records, or the word none"):
        load(tmp_path / "missing")
    with pytest.raises(UserError, match="records need a folder"):
        folders.own_file("cortex-a76")


def test_without_xdg_the_place_is_in_the_home(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/nowhere")
    assert folders.own_file("x86-64-v4") == Path("/nowhere/.local/share/mnv2c/schedules/x86-64-v4.jsonl")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert folders.own_file("../evil/../x") == Path("/nowhere/.local/share/mnv2c/schedules/_evil_.._x.jsonl")


def test_a_user_without_a_home_has_no_records(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda user: {}[user])  # as in a container with a user of its own number
    store.replace(shipped / "cortex-a76" / "best.json", [record(rows=5)])
    assert rows(load()) == 5, "what is shipped still counts"
    with pytest.raises(UserError, match="this user has no home; give --schedules DIR"):
        folders.own_file("cortex-a76")


def test_a_home_of_somebody_else_is_none(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_stat = os.stat

    def refused(path: Any, *more: Any, **options: Any) -> os.stat_result:
        if str(path).startswith("/somebody"):
            raise PermissionError(13, "Permission denied", str(path))
        return true_stat(path, *more, **options)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setenv("XDG_DATA_HOME", "/somebody/elses")
    assert load() == NOTHING
    with pytest.raises(UserError, match="no such folder"):
        load("/somebody/elses")


def test_targets_may_share_a_set_and_differ(shipped: Path) -> None:
    (shipped / "shared.toml").write_text('cortex = ["cortex-a53", "cortex-a76"]\n')
    store.replace(shipped / "cortex" / "set.json", [record(rows=1, target="cortex-a72", ratio=0.8)])
    assert (rows(load()), rows(load(name="cortex-a53")), rows(load(name="cortex-a72"))) == (1, 1, None)
    store.replace(shipped / "cortex-a76" / "own.json", [record(rows=2)])
    assert (rows(load()), rows(load(name="cortex-a53"))) == (2, 1)
    store.replace(shipped / "cortex-a76" / "own.json", [record(default=True, confirmed=True, ratio=1.0)])
    assert (rows(load()), rows(load(name="cortex-a53"))) == (None, 1)


def test_the_shipped_sets_are_of_targets() -> None:
    folder = data.folder("schedules")
    known = set(registry.names())
    for name, members in folders._shared(folder / folders.SHARED).items():
        assert name not in known
        assert len(members) > 1
        assert set(members) <= known
    shipped = {path.name for path in folder.iterdir() if path.is_dir()}
    assert shipped <= known | folders._shared(folder / folders.SHARED).keys()


def test_what_is_shipped_are_decisions_with_evidence() -> None:
    for path in data.folder("schedules").glob("*/*.json*"):
        for entry in store.read([path], pytest.fail):
            assert entry.evidence.date, path
            assert entry.evidence.mnv2c, path
            assert "@" not in entry.device, f"{path} names somebody's board"


def test_the_host_reads_the_records_of_its_cpu(shipped: Path) -> None:
    host = targets.load("host")
    assert host.entry != "host"
    store.replace(shipped / host.entry / "best.json", [record(rows=6, target=host.entry)])
    assert rows(load(name="host")) == 6


def test_the_identity_is_all_that_is_asked() -> None:
    found = best(record())
    assert list(found.chains) == [chain_id(CHAIN)]
    assert decide([]) is None
