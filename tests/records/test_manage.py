"""``mnv2c schedules`` and the functions behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnv2c import api, targets
from mnv2c.cli.main import main
from mnv2c.common import data
from mnv2c.errors import UserError
from mnv2c.records import store
from mnv2c.records.best import OWN, best_of
from mnv2c.records.record import Record, to_line
from mnv2c.schedule.identity import chain_id
from tests.records.samples import CHAIN, cuts, dated, record

TRIALS: list[Record] = [
    record(rows=1, ratio=1.0, default=True),
    record(rows=2, ratio=0.95),
    record(rows=3, ratio=0.9, evidence=dated("2026-06-01T00:00:00Z")),
    record(rows=4, ratio=None, status="hung", device="ssh://pi:secret@board"),
    record(rows=2, ratio=0.8, threads=2, label="other"),
    cuts(),
    cuts(numbers=(0, 1), cost=1.2),
]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of own records; nothing is shipped."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    true_folder = data.folder
    monkeypatch.setattr(data, "folder", lambda name: shipped if name == "schedules" else true_folder(name))
    monkeypatch.setenv("MNV2C_SCHEDULES", str(tmp_path / "own"))
    store.append(tmp_path / "own" / "cortex-a76.jsonl", TRIALS)
    return tmp_path / "own"


def test_the_list_has_a_line_per_chain_and_cpu(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.replace(own.parent / "shipped" / "cortex-a53" / "best.json", [record(target="cortex-a53", confirmed=True)])
    assert main(["schedules", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    name = chain_id(CHAIN)
    assert lines == [
        ["cortex-a53", "1", "chain", name, "bottleneck_02", "10.0%", "1", "2026-05-01", "shipped"],
        ["cortex-a76", "1", "chain", name, "bottleneck_02", "10.0%", "4", "2026-06-01", "own"],
        ["cortex-a76", "1", "cuts", "0123456789abcdef", "mobilenet_v2_035_96", "10.0%", "2", "2026-05-01", "own"],
        ["cortex-a76", "2", "chain", name, "other", "20.0%", "1", "2026-05-01", "own"],
    ]
    assert main(["schedules", "list", "--target", "cortex-a53", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(entry["target"], entry["gain"], entry["trials"]) for entry in found] == [("cortex-a53", 0.1, {"ok": 1})]


def test_nothing_to_list_is_said(tmp_path: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedules", "list", "--schedules", "none"]) == 0
    assert "no records" in capsys.readouterr().out


def test_one_chain_is_shown_with_its_evidence(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedules", "show", chain_id(CHAIN)[:6]]) == 0
    out = capsys.readouterr().out
    for words in (
        "3 ok, 1 hung",
        "ratio     0.9",
        "rows      3",
        "a CPU",
        "cortex-a76.jsonl",
        "ssh://pi@board",
        "gain",
    ):
        assert words in out
    assert "secret" not in out
    assert main(["schedules", "show", "mobilenet_v2_035_96", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["decided"]["cuts"]) == ("cuts", [0, 3, 5])
    assert main(["schedules", "show", "botleneck_02"]) == 2
    assert 'did you mean "bottleneck_02"?' in capsys.readouterr().err


def test_a_chain_without_a_decision_is_shown(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "cortex-a76.jsonl").unlink()
    store.append(own / "cortex-a76.jsonl", [record(ratio=1.3)])
    assert main(["schedules", "show", "bottleneck_02"]) == 0
    assert "nothing decided" in capsys.readouterr().out


def test_pruning_keeps_what_decides(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = own / "cortex-a76.jsonl"
    wanted = best_of([(OWN, store.read([path], pytest.fail))], ["cortex-a76"], 1)
    assert main(["schedules", "prune"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 3 records kept, 4 went",
        "  bottleneck_02: 3",
        "  mobilenet_v2_035_96: 1",
    ]
    left = store.read([path], pytest.fail)
    assert best_of([(OWN, left)], ["cortex-a76"], 1) == wanted
    assert len(left) == 3
    assert main(["schedules", "prune", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"file": str(path), "kept": 3, "went": {}}]
    assert [file.name for file in own.iterdir()] == ["cortex-a76.jsonl"]


@pytest.mark.parametrize("name", ["cortex-a76.jsonl", "kept.json"])
def test_what_a_later_version_wrote_survives_pruning(name: str, tmp_path: Path) -> None:
    path, newer = tmp_path / name, '{"schema": 2, "kind": "chain", "new": [1, 2]}'
    store.replace(path, [record(rows=2), record(ratio=0.8)], [newer, '{"schema": "two"}', "broken"])
    with pytest.warns(UserWarning, match="not a record of this version"):
        api.prune_schedules(files=[path])
    assert store.read([path], lambda message: None) == [record(ratio=0.8)]
    assert store.newer_lines(path) == [newer]
    assert "broken" not in path.read_text()


def test_a_decision_for_the_default_survives_pruning(own: Path) -> None:
    path = own / "cortex-a53.jsonl"
    default = record(target="cortex-a53", default=True, confirmed=True, ratio=1.0)
    store.append(path, [record(target="cortex-a53", rows=2), default])
    api.prune_schedules("cortex-a53")
    assert store.read([path], pytest.fail) == [default]


def test_files_and_folders_are_merged(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    better = record(rows=7, ratio=0.7)
    store.append(tmp_path / "board.jsonl", [better, record(target="cortex-a53")])
    out = tmp_path / "new" / "best.json"
    words = ["schedules", "merge", str(own), str(tmp_path / "board.jsonl"), "-o", str(out), "--target", "cortex-a76"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{out}: 2 chains and 1 networks' cuts from 2 files\n"
    assert len(json.loads(out.read_text())) == 3
    assert better in store.read([out], pytest.fail)
    assert main([*words, "--everything", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chains"] == 6
    again = out.read_bytes()
    assert main([*words, "--everything", "--json"]) == 0
    assert out.read_bytes() == again


def test_equal_records_are_kept_once(own: Path, tmp_path: Path) -> None:
    path = own / "cortex-a76.jsonl"
    found = api.merge_schedules([path, path, own], tmp_path / "m.jsonl", everything=True)
    assert (found.chains, found.cuts) == (5, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lst", 'unknown action "lst" (did you mean "list"?)'),
        ("list x", "takes no x"),
        ("show", "name one chain"),
        ("merge a", "the new file with --output"),
        ("merge missing.jsonl -o out", "missing.jsonl: no such file"),
        ("prune missing.jsonl", "missing.jsonl: no such file"),
        ("list --target cortexa7", 'target "cortexa7": unknown (did you mean "cortex-a7"?)'),
        ("list --schedules missing", 'schedules "missing": no such folder'),
        ("prune --schedules missing", 'schedules "missing": no such folder'),
    ],
)
def test_mistakes_are_said_in_a_line(own: Path, words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedules", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_nothing_to_merge_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no records in"):
        api.merge_schedules([tmp_path], tmp_path / "out.json")


def test_a_broken_line_is_a_warning_in_one_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (own / "cortex-a76.jsonl").open("a") as file:
        file.write("{broken\n")
    assert main(["schedules", "list", "--target", "cortex-a76"]) == 0
    assert capsys.readouterr().err == (
        f"mnv2c: warning: {own}/cortex-a76.jsonl:8: not a record of this version of mnv2c, skipped\n"
    )


def test_a_target_may_be_named_as_for_a_compile(own: Path, tmp_path: Path) -> None:
    host = targets.load("host").entry
    store.append(own / f"{host}.jsonl", [record(target=host)])
    assert {entry.target for entry in api.list_schedules("host")} == {host}
    text = (Path(targets.__file__).parents[2] / "targets" / "cortex-a76.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    assert {entry.target for entry in api.list_schedules(str(tmp_path / "mine.toml"))} == {"cortex-a76"}
    assert api.list_schedules("cortex-a53") == [], "a known target without records is no mistake"


def test_merging_destroys_nothing(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.jsonl").write_text(to_line(record(rows=9)) + "\n")
    (tmp_path / "notes.txt").write_text("mine\n")
    for name, said in (
        ("other.jsonl", "holds 1 records that are in none of the sources"),
        ("notes.txt", "other things"),
    ):
        before = (tmp_path / name).read_bytes()
        assert main(["schedules", "merge", str(own), "-o", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err
        assert (tmp_path / name).read_bytes() == before
    out = str(tmp_path / "other.jsonl")
    assert main(["schedules", "merge", str(own), out, "-o", out, "--everything"]) == 0
    assert len(store.read([Path(out)], pytest.fail)) == len(TRIALS) + 1
