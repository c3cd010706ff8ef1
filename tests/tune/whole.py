"""Whole sessions of a small network by the command line, and what is on record of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mnv2c.records.record import ChainRecord, CutsRecord
from mnv2c.records.store import read_file

ROOT = Path(__file__).resolve().parents[2]
NETWORK = ("mobilenet_v2", "--width", "0.35", "--resolution", "32")
CHAINS = 13
"""So many trials at least, about, give one to every chain of the network."""

SECONDS = 1500.0
"""Most that a session may take here, on a busy machine."""

Records = tuple[list[ChainRecord], list[CutsRecord]]


def need_the_search() -> None:
    """Skip the test where what the search needs is missing."""
    pytest.importorskip("xgboost", reason="no whole session is tested: pip install mnv2c[tune]")


def words(verb: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "mnv2c", verb, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run mnv2c to its end, which must be a good one."""
    done = subprocess.run(
        words(verb, *options), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def tune(folder: Path, *options: str) -> dict[str, Any]:
    """Tune the network into ``folder``: the figures of a session that came to its end."""
    done = run("tune", *NETWORK, *options, "--schedules", str(folder), "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ended"] == "" and found["cost"] <= found["default_cost"]
    return found


@contextmanager
def tuning(folder: Path, log: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Tune the network into ``folder`` meanwhile; ``log`` gets what is said of it. It is killed if it still runs."""
    command = words("tune", *NETWORK, *options, "--schedules", str(folder))
    with log.open("w") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=said, stderr=said, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def records_file(folder: Path) -> Path | None:
    """The one file of records in a folder."""
    files = list(folder.glob("*.jsonl"))
    assert len(files) <= 1
    return files[0] if files else None


def records(folder: Path) -> Records:
    """All that is on record of chains, and of cuts; a line that is none fails."""
    file = records_file(folder)
    found = [] if file is None else read_file(file, pytest.fail)
    chains = [record for record in found if isinstance(record, ChainRecord)]
    return chains, [record for record in found if isinstance(record, CutsRecord)]


def measured(folder: Path) -> list[ChainRecord]:
    """What was measured, in order; decisions are not."""
    return [record for record in records(folder)[0] if not record.confirmed]


def decided(folder: Path) -> dict[str, ChainRecord]:
    """The last decision for every chain."""
    return {record.chain_id: record for record in records(folder)[0] if record.confirmed}


def repeated(found: list[ChainRecord]) -> int:
    """How many of what was measured had been measured before."""
    counts = Counter((record.chain_id, record.choice) for record in found)
    return counts.total() - len(counts)
