"""Prints what tuned schedules gain over the analytic defaults, whole networks, on this machine.

    python bench/tuned.py [RECORDS] [--networks 0.35/160,0.75/192,1.4/224] [--processes 5] [--rounds 40]

RECORDS is a folder of ``mnv2c tune --schedules``; without it the shipped records are used. Each network (MobileNetV2 of
width/resolution) is compiled twice. Each of several processes, in which memory lies differently, loads both libraries
and runs them in turn; the figure is the median over all rounds of tuned over default, with quartiles. The share of the
peak is that of ``mnv2c bench``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import mnv2c

NETWORKS = "0.35/160,0.75/192,1.4/224"
RUNS = 8
"""Calls of one library before the other has its turn; the first two warm the caches and are not counted."""


def compile_pair(network: str, records: str | None, folder: Path) -> tuple[Path, Path]:
    """Compile a network by its defaults and by records; the two folders."""
    width, resolution = network.split("/")
    pair = folder / "default", folder / "tuned"
    for output, schedules in zip(pair, ("none", records), strict=True):
        mnv2c.compile(
            "mobilenet_v2",
            width=float(width),
            resolution=int(resolution),
            output=output,
            name="net",
            schedules=schedules,
        )
    return pair


def bound(folder: Path) -> Callable[[], None]:
    """Return one run of a library as a call that does nothing else."""
    library = mnv2c.load(folder)
    (port,) = library.description.inputs
    inputs = (np.random.default_rng(0).standard_normal(port.shape, dtype=np.float32),)
    return library.bind(inputs, library.outputs())


def seconds(call: Callable[[], None]) -> float:
    """Return the median of one turn."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times[2:]) / 1e9


def turns(default: Path, tuned: Path, rounds: int) -> list[tuple[float, float]]:
    """Return the times of both, round by round; which comes first alternates."""
    calls = bound(default), bound(tuned)
    found = []
    for index in range(rounds):
        order = (0, 1) if index % 2 == 0 else (1, 0)
        taken = {which: seconds(calls[which]) for which in order}
        found.append((taken[0], taken[1]))
    return found


def measure(network: str, records: str | None, processes: int, rounds: int) -> float:
    """Print a line for one network and return its ratio."""
    with tempfile.TemporaryDirectory(prefix="mnv2c-tuned-") as name:
        default, tuned = compile_pair(network, records, Path(name))
        found: list[tuple[float, float]] = []
        for _ in range(processes):
            command = [sys.executable, __file__, "--pair", str(default), str(tuned), "--rounds", str(rounds)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found += json.loads(done.stdout)
        shares = [mnv2c.bench(folder).as_dict()["peak_share"] for folder in (default, tuned)]
    ratios = sorted(after / before for before, after in found)
    low, ratio, high = (float(value) for value in np.percentile(ratios, [25, 50, 75]))
    before, after = (statistics.median(entry[which] for entry in found) * 1e3 for which in (0, 1))
    print(
        f"{network:>9}  default {before:.3f} ms ({shares[0]:.0%} of peak)  tuned {after:.3f} ms ({shares[1]:.0%})  "
        f"ratio {ratio:.3f} ({low:.3f}-{high:.3f})",
        flush=True,
    )
    return ratio


def main() -> None:
    """Measure every network, then print the geometric mean."""
    parser = argparse.ArgumentParser(description="tuned schedules against the defaults")
    parser.add_argument("records", nargs="?", help="folder of records (default: the shipped ones)")
    parser.add_argument("--networks", default=NETWORKS, help=f"width/resolution, with commas (default: {NETWORKS})")
    parser.add_argument("--processes", type=int, default=5, help="processes per network (default: 5)")
    parser.add_argument("--rounds", type=int, default=40, help="rounds per process (default: 40)")
    parser.add_argument("--pair", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pair:
        print(json.dumps(turns(*options.pair, options.rounds)))
        return
    ratios = [
        measure(network, options.records, options.processes, options.rounds) for network in options.networks.split(",")
    ]
    print(f"geometric mean {statistics.geometric_mean(ratios):.3f}")


if __name__ == "__main__":
    main()
