"""Many mutated inputs over all parsers, in processes with limits: counts, findings with their inputs, one table.

python -m tests.fuzz.parsers --inputs 1000000 --workers 2
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.parsers import seeds
from tests.fuzz.parsers.known import PARSERS
from tests.fuzz.parsers.parser import Outcome
from tests.fuzz.parsers.worker import ENOUGH, Batch, Current

ROOT = Path(__file__).resolve().parents[3]
BATCH = 10_000
"""Inputs of a process, unless its parser gets fewer."""


@dataclass
class Tally:
    """What became of the inputs of one parser; ``findings`` are files by their signature."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    rss: int = 0
    findings: dict[str, Path] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """How many were tried."""
        return sum(self.outcomes.values())


class Driver:
    """Runs batches and collects what they say; ``folder`` keeps corpus and findings, and the table so far."""

    def __init__(self, folder: Path, seed: str, workers: int = 1, until: float | None = None) -> None:
        self.folder, self.seed, self.workers, self.until = folder, seed, workers, until
        self.tallies: dict[str, Tally] = {}
        self._lock = threading.Lock()

    def run(self, jobs: Iterable[Sequence[Batch]]) -> Mapping[str, Tally]:
        """Run all jobs, each in a process, or as many as there is time for."""
        with ThreadPoolExecutor(self.workers) as pool:
            for done in [pool.submit(self._job, list(job)) for job in jobs]:
                done.result()
        return self.tallies

    def _job(self, left: list[Batch]) -> None:
        """Start a process for batches, and another behind every input that ends one."""
        while left and not self._late():
            with tempfile.TemporaryDirectory(prefix="mnv2c-fuzz-") as name:
                left = self._process(left, Path(name))
            with self._lock:
                (self.folder / "table.txt").write_text(table(self.tallies) + "\n")

    def _late(self) -> bool:
        return self.until is not None and time.monotonic() > self.until

    def _process(self, left: list[Batch], place: Path) -> list[Batch]:
        """Run batches until the process ends; returns what is left of them."""
        entries = json.dumps([[batch.name, batch.first, batch.count] for batch in left])
        words = [entries, self.seed, str(place), str(self.folder / "corpus")]
        command = [sys.executable, "-m", "tests.fuzz.parsers.worker", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MNV2C_SCHEDULES": "none", "OMP_NUM_THREADS": "1"}
        with (place / "errors").open("w") as errors:
            child = subprocess.Popen(
                command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert child.stdout is not None
        for line in child.stdout:
            left = self._hear(json.loads(line), place, left)
            if self._late() and child.poll() is None:
                child.kill()
        code = child.wait()
        if code == 0 or self._late():
            return []
        return left if code == ENOUGH else self._died(code, place, left)

    def _hear(self, said: Mapping[str, Any], place: Path, left: list[Batch]) -> list[Batch]:
        with self._lock:
            tally = self.tallies.setdefault(said["name"], Tally())
            if "finding" in said:
                kind, feature, details, file = said["finding"]
                self._keep(Outcome(kind, feature, details), (place / file).read_bytes(), said["name"], tally)
                return left
            tally.outcomes.update(said["outcomes"])
            tally.seconds += said["seconds"]
            tally.slowest = max(tally.slowest, said["slowest"])
            tally.rss = max(tally.rss, said["rss"])
        return _behind(left, said["name"], said["next"])

    def _died(self, code: int, place: Path, left: list[Batch]) -> list[Batch]:
        """A crash or a hang: the input is in shared memory, the place in the log."""
        log, errors = place / "log", (place / "errors").read_text(errors="replace")[-3000:]
        trace = log.read_text(errors="replace") if log.exists() else ""
        if code > 0:
            raise RuntimeError(f"{left[0].name}: the process ended with {code}:\n{errors}")
        number, content = Current.of(place / "current")
        kind = "hang" if -code in (signal.SIGPROF, signal.SIGALRM) else "crash"
        inner = [line.strip() for line in trace.splitlines() if "/mnv2c/" in line][:2]
        outcome = Outcome(kind, " ".join(inner) or f"code {code}", f"exit code {code}\n{trace}\n{errors}")
        with self._lock:
            tally = self.tallies.setdefault(left[0].name, Tally())
            tally.outcomes[kind] += 1
            tally.outcomes["unknown"] += number - left[0].first  # that it had not told of
            self._keep(outcome, content, left[0].name, tally)
        return _behind(left, left[0].name, number + 1)

    def _keep(self, outcome: Outcome, content: bytes, parser: str, tally: Tally) -> None:
        name = f"{parser}-{outcome.signature}"
        if outcome.signature in tally.findings:
            return
        folder = self.folder / "findings"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}{_suffix(parser)}"
        path.write_bytes(content)
        text = f"{outcome.kind}: {outcome.feature}\n{outcome.details}\n"
        (folder / f"{name}.report").write_text(text, errors="replace")
        tally.findings[outcome.signature] = path


def _suffix(parser: str) -> str:
    return Path(PARSERS[parser].file).suffix if parser in PARSERS else ".txt"


def _behind(left: list[Batch], name: str, first: int) -> list[Batch]:
    """What is left of batches from input ``first`` of a parser on."""
    while left and left[0].name != name:
        left = left[1:]
    end = left[0].first + left[0].count
    return [Batch(name, first, end - first), *left[1:]] if first < end else left[1:]


def jobs_of(inputs: int, names: Sequence[str], begin: int = 0) -> list[list[Batch]]:
    """Inputs of the parsers by their shares, from number ``begin`` on; few of them are one job, many one per batch."""
    chosen = [PARSERS[name] for name in names]
    total = sum(parser.share for parser in chosen)
    found = []
    for parser in chosen:
        count = max(1, round(inputs * parser.share / total))
        size = min(BATCH, max(100, parser.share // 10))
        found += [Batch(parser.name, begin + at, min(size, count - at)) for at in range(0, count, size)]
    if inputs <= BATCH:
        return [found]
    return [[batch] for batch in sorted(found, key=lambda batch: batch.first / PARSERS[batch.name].share)]


def table(tallies: Mapping[str, Tally]) -> str:
    """One line per parser, and the sum."""
    rows = [("parser", "inputs", "accepted", "refused", "findings", "kinds", "CPU s", "slowest", "RSS MB")]
    total, seconds, kinds = Counter[str](), 0.0, 0
    for name in PARSERS:
        if name not in tallies:
            continue
        tally = tallies[name]
        rows.append(_row(name, tally.outcomes, tally.seconds, len(tally.findings), tally.slowest, tally.rss))
        total += tally.outcomes
        seconds, kinds = seconds + tally.seconds, kinds + len(tally.findings)
    slowest = max((tally.slowest for tally in tallies.values()), default=0.0)
    rows.append(_row("all", total, seconds, kinds, slowest, max((tally.rss for tally in tallies.values()), default=0)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(lines)


def _row(name: str, outcomes: Counter[str], seconds: float, kinds: int, slowest: float, rss: int) -> tuple[str, ...]:
    bad = sum(count for kind, count in outcomes.items() if kind not in ("accepted", "refused", "unknown"))
    counts = (sum(outcomes.values()), outcomes["accepted"], outcomes["refused"], bad, kinds)
    return (name, *(f"{count:,}" for count in counts), f"{seconds:,.0f}", f"{slowest:.2f}", f"{rss / 1e6:.0f}")


def fuzz(
    inputs: int,
    folder: Path,
    *,
    names: Sequence[str] = tuple(PARSERS),
    seed: str = "0",
    workers: int = 1,
    seconds: float | None = None,
    first: int = 0,
) -> Mapping[str, Tally]:
    """Try so many inputs; ``folder`` keeps corpus and findings. A library is compiled unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    until = None if seconds is None else time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="mnv2c-fuzz-") as place:
        if seeds.LIBRARY not in os.environ:
            seeds.keep_library(seeds.make_library(Path(place)), "tiny", Path(place) / "kept")
        try:
            driver = Driver(folder, seed, workers, until)
            return driver.run(jobs_of(inputs, names, first))
        finally:
            if os.environ.get(seeds.LIBRARY, "").startswith(place):
                del os.environ[seeds.LIBRARY]


def clean(folder: Path) -> None:
    """Forget earlier findings; the corpus stays."""
    shutil.rmtree(folder / "findings", ignore_errors=True)
