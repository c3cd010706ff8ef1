"""Run the program of `build`: for a number of inputs or a time, with the kept corpus; or once, on files."""

from __future__ import annotations

import hashlib
import os
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus.txt")
"""Inputs that together reach what a long run reached, one a line in Base64."""
REGRESSIONS = Path(__file__).with_name("regressions")
LONGEST = 2048
"""Bytes of an input: a header, 1024 of pixels, outputs; what is behind its end is a pattern."""
LIMITS = ("-timeout=10", "-rss_limit_mb=1024", f"-max_len={LONGEST}", "-len_control=0")
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


@dataclass(frozen=True)
class Run:
    """``executed`` inputs; ``finding`` is the report of what was found, empty where nothing was."""

    executed: int
    finding: str


def run(program: Path, folder: Path, *options: str) -> Run:
    """Fuzz; new inputs go to ``folder``/corpus, what is found to ``folder``/findings."""
    for name in ("corpus", "findings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for line in CORPUS.read_text().split():
        content = b64decode(line)
        (folder / "corpus" / hashlib.sha1(content).hexdigest()).write_bytes(content)  # as libFuzzer calls them
    prefix = f"-artifact_prefix={folder}/findings/"
    return _outcome([str(program), *LIMITS, prefix, "-print_final_stats=1", *options, str(folder / "corpus")])


def replay(program: Path, files: list[Path]) -> Run:
    """Run the program once on each of some files."""
    return _outcome([str(program), *LIMITS, *map(str, files)]) if files else Run(0, "")


def _outcome(command: list[str]) -> Run:
    done = subprocess.run(
        command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, errors="replace", check=False
    )
    said = done.stderr.splitlines()
    counts = [line.rpartition(":")[2] for line in said if line.startswith("stat::number_of_executed_units")]
    interesting = [line for line in said if not line.startswith("#")]
    return Run(int(counts[0]) if counts else 0, "" if done.returncode == 0 else "\n".join(interesting)[-6000:])
