"""libFuzzer with the sanitizers finds nothing in the C of frames: no fault, no broken promise of the header."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.fuzz.frames.build import build, compiler
from tests.fuzz.frames.fuzzing import REGRESSIONS, replay, run
from tests.sharing import once

RUNS = 3000
SECONDS = int(os.environ.get("MNV2C_FUZZ_SECONDS", "3600"))
"""Of the long run."""
FOLDER = Path(os.environ.get("MNV2C_FUZZ_FOLDER", "build/fuzz")).absolute()
"""Where it keeps its corpus and findings."""


@pytest.fixture(scope="session")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program; without clang the tests are skipped."""
    clang = compiler()
    if clang is None:
        pytest.skip("clang with libFuzzer is missing (tools/clang.sh): libFuzzer did NOT look at the C of frames")
    return once(tmp_path_factory, "frames-fuzzer", lambda folder: build(clang, folder))


def test_nothing_is_found_from_the_corpus_on(fuzzer: Path, tmp_path: Path) -> None:
    found = run(fuzzer, tmp_path, f"-runs={RUNS}", "-seed=1")
    assert found.finding == ""
    assert found.executed >= RUNS
    assert len(list((tmp_path / "corpus").iterdir())) > 100


def test_what_was_found_once_is_not_found_again(fuzzer: Path) -> None:
    files = sorted(REGRESSIONS.iterdir())
    assert files
    assert replay(fuzzer, files).finding == ""


def test_the_harness_finds_a_planted_fault(tmp_path: Path) -> None:
    """The last row or column has no neighbour, but one is read: that must not go unseen."""
    clang = compiler()
    if clang is None:
        pytest.skip("clang with libFuzzer is missing (tools/clang.sh)")
    program = build(clang, tmp_path, names=("mask",), fault=("made.near < along->pixels - 1 ?", "1 ?"))
    assert "heap-buffer-overflow" in run(program, tmp_path, f"-runs={RUNS}", "-seed=1").finding


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 600, method="thread")
def test_nothing_is_found_for_long(fuzzer: Path) -> None:
    start = time.monotonic()
    found = run(fuzzer, FOLDER / "frames", f"-max_total_time={SECONDS}")
    assert found.finding == "", f"the input is in {FOLDER}/frames/findings"
    assert time.monotonic() - start >= SECONDS * 0.9
