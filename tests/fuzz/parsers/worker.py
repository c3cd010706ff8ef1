"""A process that feeds mutated inputs to one parser, within limits, and says on standard output what became of them.

The input at hand lies in a file that is shared memory, so that whoever started this process knows it if it dies.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import re
import resource
import signal
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TextIO

from tests.fuzz.parsers.parser import Outcome, Parser, judge

SECONDS = int(os.environ.get("MNV2C_FUZZ_LIMIT", "10"))
"""CPU time that an input may take."""
WALL = 120
"""Seconds of the clock that it may take: it may wait for something, and the machine may be busy."""
MEMORY = 1 << 30
"""Bytes of RSS that the process may reach."""
ADDRESSES = 6 << 30
"""Bytes of addresses that it may take beside those of its libraries, so that the machine survives."""
WORN = 300 << 20
"""Growth of RSS after which another process goes on: what is cached must not look like one input's need."""
ENOUGH = 75
"""Exit code of a process that stopped early for that."""
MOST_INPUT = 1 << 20
TRIES = 10
"""Mutations of an input until the first reader of two takes one, so that the second, slow one has something to do."""
MOST_KEPT = 400
PROGRESS = 500
"""Inputs after which a count is sent."""


class Current:
    """The input at hand: its number and its bytes, in shared memory."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(16 + MOST_INPUT))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def put(self, number: int, content: bytes) -> None:
        """Remember an input before it is read."""
        self._map[:16] = struct.pack("<QQ", number, len(content))
        self._map[16 : 16 + len(content)] = content

    @staticmethod
    def of(path: Path) -> tuple[int, bytes]:
        """What another process had in its hands."""
        content = path.read_bytes()
        number, length = struct.unpack("<QQ", content[:16])
        return number, content[16 : 16 + length]


@dataclass
class Pool:
    """Inputs to damage: the seeds, and what had an outcome that none had before, which is kept in a folder."""

    seeds: list[bytes]
    folder: Path
    kept: list[bytes] = field(default_factory=list)
    features: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, parser: Parser, folder: Path) -> Pool:
        """The seeds, and what earlier processes and hands put into the folders."""
        folder.mkdir(parents=True, exist_ok=True)
        stored = Path(__file__).parent / "corpus" / parser.name
        files = [path.read_bytes() for place in (stored, folder) for path in sorted(place.glob("*"))[:MOST_KEPT]]
        return cls(parser.seeds(), folder, files)

    def draw(self, random: Random) -> bytes:
        """One of them; half of the time a seed."""
        return random.choice(self.kept if self.kept and random.random() < 0.5 else self.seeds)

    def tell(self, content: bytes, outcome: Outcome) -> None:
        """Keep what is new."""
        feature = f"{outcome.kind} {outcome.feature}"
        if feature in self.features or outcome.finding:
            return
        self.features.add(feature)
        if len(self.kept) < MOST_KEPT and len(content) < 64_000:
            self.kept.append(content)
            (self.folder / outcome.signature).write_bytes(content)


def limit(log: Path) -> None:
    """End this process where an input takes too long or crashes; the log then holds the place."""
    file = log.open("w")
    faulthandler.enable(file)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
        faulthandler.register(number, file, all_threads=False, chain=True)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESSES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def peak() -> int:
    """The most RSS so far, in bytes; what getrusage says is that of the process that started this one, too."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024  # type: ignore[index]


def rss() -> int:
    """RSS now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def tried(parser: Parser, path: Path, content: bytes) -> tuple[Outcome, float]:
    """Let a parser read one input within limits; its outcome, and the CPU time it took."""
    path.write_bytes(content)
    before, start = peak(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL)
    outcome = judge(parser, path)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    spent = time.process_time() - start
    if peak() > MEMORY and before <= MEMORY:
        outcome = Outcome("memory", outcome.feature, f"{before:,} bytes of RSS before, {peak():,} after; {outcome}")
    return outcome, spent


@dataclass(frozen=True)
class Batch:
    """Inputs ``first`` to ``first + count`` of one parser."""

    name: str
    first: int
    count: int


def work(parser: Parser, batch: Batch, seed: str, folder: Path, corpus: Path, say: TextIO) -> int:
    """Try the inputs of a batch; returns the exit code. The process must be `limit`ed."""
    current, path = Current(folder / "current"), folder / parser.file
    pool, outcomes, spent, slowest = Pool.of(parser, corpus / parser.name), Counter[str](), 0.0, 0.0
    for content in pool.seeds[:2]:  # imports and caches are nobody's fault
        current.put(batch.first, content)
        path.write_bytes(content)
        judge(parser, path)
    worn, last = rss() + WORN, batch.first + batch.count - 1
    for number in range(batch.first, last + 1):
        random = Random(f"{seed} {parser.name} {number}")
        outcome, seconds = Outcome("refused", ""), 0.0
        for _ in range(TRIES if parser.before else 1):
            content = parser.damage(pool.draw(random), random)[:MOST_INPUT]
            current.put(number, content)
            outcome, spent_now = tried(parser, path, content)
            seconds += spent_now
            if outcome.kind != "refused" or not outcome.early:
                break
        pool.tell(content, outcome)
        outcomes[outcome.kind] += 1
        spent, slowest = spent + seconds, max(slowest, seconds)
        if outcome.finding:
            kept = folder / f"{parser.name}-{outcome.signature}"
            kept.write_bytes(content)
            _say(say, name=parser.name, finding=[outcome.kind, outcome.feature, outcome.details, kept.name])
        ends = outcome.kind == "memory"
        if number == last or ends or outcomes.total() == PROGRESS or spent > 1:
            told = {"outcomes": dict(outcomes), "seconds": spent, "slowest": slowest, "rss": peak()}
            _say(say, name=parser.name, next=number + 1, **told)
            outcomes.clear()
            spent = slowest = 0.0
            ends = ends or rss() > worn
        if ends:
            return ENOUGH
    return 0


def _say(file: TextIO, **what: object) -> None:
    print(json.dumps(what), file=file, flush=True)


def main(words: list[str]) -> int:
    """BATCHES (as JSON) SEED FOLDER CORPUS; the parsers' own output goes nowhere."""
    from tests.fuzz.parsers.known import PARSERS
    from tests.fuzz.parsers.planted import PLANTED

    known = {**PARSERS, **PLANTED}
    batches, seed, folder, corpus = json.loads(words[0]), words[1], Path(words[2]), Path(words[3])
    say = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    limit(folder / "log")
    for batch in (Batch(*entry) for entry in batches):
        code = work(known[batch.name], batch, seed, folder, corpus, say)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
