"""What the command line does: workers try networks, and the first process counts and starts them again if they die."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from pathlib import Path

from tests.fuzz.networks.check import CRASHED, WRONG, Outcome, check_file
from tests.fuzz.networks.hunt import Summary, hunt, shrunk, write
from tests.fuzz.networks.options import TARGETS, Options


def repeat(given: Namespace) -> int:
    """Try one file; 1 where it fails."""
    _undo(given)
    with tempfile.TemporaryDirectory(prefix="mnv2c-fuzz-") as folder:
        outcome = check_file(given.file, Options.from_json(given.options), Path(folder) / "out")
    print(f"{outcome.kind}: {outcome.detail}" if outcome.detail else outcome.kind)
    return int(outcome.failed)


def work(given: Namespace) -> int:
    """Try the networks that ``run`` hands to this process; a line of JSON before and after each."""
    seed, *numbers = map(int, given.numbers.split(","))
    targets = TARGETS if given.targets == "all" else given.targets.split(",")
    _undo(given)
    for index in range(*numbers):
        print(json.dumps({"begun": index}), flush=True)
        for tried in hunt(seed, [index], targets):
            said = {"index": index, "kind": tried.outcome.kind, "detail": tried.outcome.detail}
            if tried.outcome.failed and given.shrink > 0:
                print(json.dumps({"note": f"{index}: {tried.outcome.detail}; shrinking"}), flush=True)
                smaller = shrunk(tried, given.shrink)
                said["command"] = write(smaller, given.output, f"{seed}-{index}")
                said["shrunk"] = f"{len(smaller.net.ops)} operators, {smaller.outcome.detail}"
            print(json.dumps({**said, "features": tried.features}), flush=True)
    return 0


def _undo(given: Namespace) -> None:
    if given.undo:
        from tests.fuzz.networks.faults import FAULTS

        FAULTS[given.undo].undo()


class _Run:
    """Workers, each with every ``jobs``-th network."""

    def __init__(self, given: Namespace) -> None:
        self.given, self.summary, self.lock, self.stopped = given, Summary(), threading.Lock(), False
        self.broken = ""

    def all(self) -> Summary:
        first, end = self.given.start, self.given.start + self.given.count
        threads = [threading.Thread(target=self._some, args=(first + job, end)) for job in range(self.given.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.broken:
            raise RuntimeError(self.broken)
        return self.summary

    def _some(self, first: int, end: int) -> None:
        while first < end and not self.stopped:
            last, done = self._worker(first, end)
            if done:
                return
            with self.lock:  # the compiler itself took the worker along
                self.summary.add(last, Outcome(CRASHED, "the compiler"), ())
            print(f"{last}: the compiler crashed", flush=True)
            first = last + self.given.jobs

    def _worker(self, first: int, end: int) -> tuple[int, bool]:
        """Run one process; return the network that it began last, and whether it did all."""
        given = self.given
        command = [sys.executable, "-m", "tests.fuzz.networks", "work", f"{given.seed},{first},{end},{given.jobs}"]
        command += ["--targets", given.targets, "--output", str(given.output), "--shrink", str(given.shrink)]
        command += ["--undo", given.undo] if given.undo else []
        begun = first
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said = json.loads(line) if line.startswith("{") else {"note": line.rstrip()}
                begun = said.get("begun", begun)
                if "index" in said:
                    self._add(said)
                elif "note" in said:
                    print(said["note"], flush=True)
                if self.stopped:
                    process.kill()
                    return begun, True
        if process.returncode > 0:
            self.broken, self.stopped = f"the worker of network {begun} failed by itself", True
            return begun, True
        return begun, process.returncode == 0

    def _add(self, said: dict[str, object]) -> None:
        outcome, index = Outcome(str(said["kind"]), str(said["detail"])), said["index"]
        assert isinstance(index, int) and isinstance(said["features"], list)
        with self.lock:
            self.summary.add(index, outcome, said["features"])
            count = sum(self.summary.kinds.values())
        if outcome.failed:
            more = f"\n  shrunk: {said['shrunk']}\n  {said['command']}" if "command" in said else ""
            print(f"{index}: {outcome.kind}: {outcome.detail}{more}", flush=True)
            self.stopped = self.stopped or (self.given.stop and outcome.kind == WRONG)
        elif count % 20 == 0:
            print(f"{count} networks, {len(self.summary.failures)} failed", flush=True)


def run(given: Namespace) -> int:
    """Try networks in ``jobs`` processes; 1 where any fails."""
    summary = _Run(given).all()
    print(summary.text())
    return int(bool(summary.failures))
