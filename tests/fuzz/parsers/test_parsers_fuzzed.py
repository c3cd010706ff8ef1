"""Damaged files of every kind that mnv2c reads: taken, or refused in one clean line, in time and within memory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.parsers import seeds
from tests.fuzz.parsers.driver import Driver, Tally, fuzz, table
from tests.fuzz.parsers.known import PARSERS, TOTAL
from tests.fuzz.parsers.nasty import damage_tree
from tests.fuzz.parsers.parser import judge
from tests.fuzz.parsers.planted import PLANTED
from tests.fuzz.parsers.worker import Batch
from tests.sharing import once

REGRESSIONS = Path(__file__).with_name("regressions")
INPUTS = 3000
SECONDS = int(os.environ.get("MNV2C_FUZZ_SECONDS", "3600"))
"""Of the long run, over all parsers."""
FOLDER = Path(os.environ.get("MNV2C_FUZZ_FOLDER", "build/fuzz")).absolute() / "parsers"
"""Where it keeps its corpus and findings."""
ONLY_REFUSES, ONLY_TAKES = {"library"}, {"records", "records_plan"}
"""A library is refused if its description is another one; lines that are no records are skipped."""
FEW = 20
"""Inputs of a slow parser, among which none may be bad."""
FOUND = sorted(path for path in REGRESSIONS.rglob("*") if path.is_file())


@pytest.fixture(scope="session", autouse=True)
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library whose description is fuzzed."""

    def make(folder: Path) -> Path:
        return seeds.keep_library(seeds.make_library(folder), "tiny", folder / "kept")

    kept = once(tmp_path_factory, "fuzzed-library", make)
    os.environ[seeds.LIBRARY] = str(kept)
    return kept


def findings(tallies: Mapping[str, Tally]) -> str:
    """What was found, with the places of the inputs."""
    found = [path for tally in tallies.values() for path in tally.findings.values()]
    return "\n".join(f"{path}: {path.with_suffix('.report').read_text(errors='replace')[:1500]}" for path in found)


def test_nothing_is_found_in_a_short_run(tmp_path: Path) -> None:
    tallies = fuzz(INPUTS, tmp_path, seed="default run")
    assert findings(tallies) == ""
    for name in PARSERS:
        outcomes = tallies[name].outcomes
        assert outcomes["accepted"] or name in ONLY_REFUSES, table(tallies)
        assert outcomes["refused"] or name in ONLY_TAKES or outcomes.total() < FEW, table(tallies)
    assert sum(tally.inputs for tally in tallies.values()) >= INPUTS


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_not_found_again(path: Path, tmp_path: Path) -> None:
    parser = PARSERS[path.parent.name]
    copy = tmp_path / parser.file
    copy.write_bytes(path.read_bytes())
    start = time.process_time()
    outcome = judge(parser, copy)
    assert not outcome.finding, f"{outcome.kind}: {outcome.feature}\n{outcome.details}"
    assert time.process_time() - start < 10


@pytest.mark.parametrize("name", PARSERS)
def test_mutators_change_files_and_repeat_themselves(name: str) -> None:
    parser = PARSERS[name]
    known = parser.seeds()
    made = [parser.mutate(known[seed % len(known)], Random(seed)) for seed in range(60)]
    assert made == [parser.mutate(known[seed % len(known)], Random(seed)) for seed in range(60)]
    assert sum(content not in known for content in made) > 40
    assert len(set(made)) > 40


def test_the_driver_sees_faults_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process dies or goes on, whatever happened; the input is kept, and the batches behind are run."""
    monkeypatch.setenv("MNV2C_FUZZ_LIMIT", "3")
    driver = Driver(tmp_path, "0")
    counts = {name: 1 if name == "planted_hang" else 2 for name in PLANTED}
    tallies = driver.run([[Batch(name, 0, count) for name, count in counts.items()]])
    kinds = {name: set(tally.outcomes) - {"unknown"} for name, tally in tallies.items()}
    wanted = {"exception": "exception", "message": "length", "crash": "crash", "hang": "hang", "memory": "memory"}
    assert kinds == {f"planted_{name}": {kind} for name, kind in (*wanted.items(), ("sound", "accepted"))}
    for name in wanted:
        tally = tallies[f"planted_{name}"]
        assert tally.outcomes[wanted[name]] == counts[f"planted_{name}"]
        (path,) = tally.findings.values()
        assert path.read_bytes() == b"wordx"
    assert "in hang" in next(iter(tallies["planted_hang"].findings.values())).with_suffix(".report").read_text()


GUIDED = importlib.util.find_spec("atheris") is not None


@pytest.mark.skipif(not GUIDED, reason="atheris is missing (the extra fuzz): inputs were NOT guided by coverage")
def test_atheris_finds_nothing_in_a_short_run(tmp_path: Path) -> None:
    assert guided("labels", tmp_path, "-runs=2000", "-seed=1") == ""
    assert len(list((tmp_path / "corpus" / "labels").iterdir())) > len(PARSERS["labels"].seeds())


def guided(name: str, folder: Path, *options: str) -> str:
    """Run a parser under atheris; what was found."""
    command = [sys.executable, "-m", "tests.fuzz.parsers.guided", name, str(folder), *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    found = "\n".join(str(path) for path in sorted((folder / "findings").glob(f"{name}-*")))
    return found if done.returncode == 0 else f"{found}\n{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS + 1200, method="thread")
@pytest.mark.parametrize("name", PARSERS)
def test_nothing_is_found_for_long(name: str) -> None:
    """Each parser gets its part of the time: guided by coverage, or else mutated."""
    seconds = max(5, SECONDS // len(PARSERS))
    if GUIDED:
        assert guided(name, FOLDER, f"-max_total_time={seconds}") == ""
    else:
        tallies = fuzz(TOTAL, FOLDER, names=(name,), seconds=seconds, seed=str(time.time_ns()))
        assert findings(tallies) == ""


def test_damage_never_puts_a_tree_into_itself() -> None:
    random = Random(1)
    for _ in range(300):
        tree: object = {"a": [{"b": [1, [2, {"c": [3]}]]}, "d"], "e": {"f": [[4], [5]]}}
        for _ in range(12):
            tree = damage_tree(tree, random)
            json.dumps(tree)  # ValueError for a circle
