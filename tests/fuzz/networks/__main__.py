"""Draws networks, compiles and runs them, and compares every step with onnxruntime.

python -m tests.fuzz.networks run --count 100 --seed 1 --jobs 2
python -m tests.fuzz.networks repeat FILE.onnx --options '{"threads": 2}'
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ["MNV2C_SCHEDULES"] = "none"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.networks", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="try networks and write those that fail, shrunk")
    run.add_argument("--count", type=int, default=100, help="how many networks")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--start", type=int, default=0, help="the number of the first network")
    run.add_argument("--jobs", type=int, default=1, help="how many processes")
    run.add_argument("--targets", default="host,x86-64-v3", help="what to compile for, with commas, or `all`")
    run.add_argument("--output", type=Path, default=Path("fuzz-networks"), help="the folder for what fails")
    run.add_argument("--shrink", type=float, default=120.0, help="seconds to shrink one failure; 0 leaves it as it is")
    run.add_argument("--stop", action="store_true", help="end at the first network that computes wrong numbers")
    run.add_argument("--undo", help="the name of a mended fault (see faults.py) that is brought back before")
    work = commands.add_parser("work")
    work.add_argument("numbers", help="seed,start,end,step")
    for name in ("--targets", "--undo"):
        work.add_argument(name)
    work.add_argument("--output", type=Path)
    work.add_argument("--shrink", type=float)
    repeat = commands.add_parser("repeat", help="try one file")
    repeat.add_argument("file", type=Path)
    repeat.add_argument("--undo", help="as for run")
    repeat.add_argument("--options", default="{}", help="as JSON: target, threads, join, schedules, limit")
    given = parser.parse_args(arguments)
    from tests.fuzz.networks import commands as does

    return int({"run": does.run, "work": does.work, "repeat": does.repeat}[given.command](given))


if __name__ == "__main__":
    sys.exit(main())
