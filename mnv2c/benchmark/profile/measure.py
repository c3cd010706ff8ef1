"""The rounds of a profile, and their medians."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from mnv2c.benchmark import timing
from mnv2c.benchmark.profile import costs
from mnv2c.benchmark.profile.loops import Stopwatch, build, filled
from mnv2c.benchmark.profile.result import Bandwidth, Profile, StepProfile
from mnv2c.common.scratch import scratch_folder
from mnv2c.errors import LibraryError
from mnv2c.runtime import Library

if TYPE_CHECKING:
    import numpy as np

    from mnv2c.benchmark.result import Machine
    from mnv2c.runtime import Description

    Array = np.ndarray[Any, Any]
    Progress = Callable[[str, float], None]

WARM_UP = 3
PEAKS = 5
"""Measurements of the peak, and of the smaller bandwidth, per round."""

BEYOND = 4
"""How many times the last cache the buffer is that must come from memory; shared caches keep some of it."""

SMALLEST, LARGEST = 64 << 20, 256 << 20
"""Bounds for the size of that buffer in bytes: caches may be unknown, and small boards have little memory."""


@dataclass
class Rounds:
    """What was found, one entry per round: milliseconds (of whole runs; per step), and rates in 10⁹ per second."""

    whole: list[list[float]] = field(default_factory=list)
    in_run: list[list[float]] = field(default_factory=list)
    alone: list[list[float]] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    bandwidth: list[list[float]] = field(default_factory=list)


def measure(
    description: Description,
    inputs: tuple[Array, ...],
    *,
    rounds: int,
    runs: int | None,
    machine: Machine,
    progress: Progress,
) -> Profile:
    """Time everything in interleaved rounds; LibraryError where the library cannot run here."""
    from mnv2c.targets.host import detect

    library = _load(description)
    progress("preparing", 0.0)
    with scratch_folder("profile") as folder:
        path = folder / "loops.so"
        path.write_bytes(build(description))
        watch = Stopwatch(path, library, description.checked(inputs))
        whole = [watch.whole() for _ in range(WARM_UP)]
        runs = timing.runs_per_turn(whole) if runs is None else runs
        here = detect()
        buffers = {
            name: filled(size) for name, size in _buffer_sizes(here.l2_bytes, here.l3_bytes, here.l1d_bytes).items()
        }
        found = Rounds()
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}", number / rounds)
            _round(watch, list(buffers.values()), runs, found)
    sizes = {name: buffer.nbytes for name, buffer in buffers.items()}
    return _result(description, found, sizes, runs=runs, machine=machine)


def _load(description: Description) -> Library:
    import platform

    if description.arch != platform.machine():
        raise LibraryError(
            f"{description.name}: compiled for {description.arch}, but this machine is {platform.machine()}; "
            f"run `mnv2c profile` on such a machine (mnv2c bench --device emulator counts instructions here)"
        )
    if description.buffers is None:
        raise LibraryError(
            f"{description.folder / description.name}.json: an older mnv2c left out what lies where in the arena; "
            f"compile the model again"
        )
    return Library(description, description.threads)


def _buffer_sizes(l2_bytes: int, l3_bytes: int, l1d_bytes: int) -> dict[str, int]:
    """The buffers to read from: one that fills half of the second-level cache, if there is one, and one in memory."""
    size = min(LARGEST, max(SMALLEST, BEYOND * max(l2_bytes, l3_bytes)))
    return ({"L2": l2_bytes // 2} if l2_bytes > 2 * l1d_bytes else {}) | {"memory": size}


def _round(watch: Stopwatch, buffers: Sequence[Array], runs: int, found: Rounds) -> None:
    """One turn for everything that is timed; whole runs and runs step by step take turns."""
    watch.whole()
    wholes, in_runs = [], []
    for _ in range(runs):
        wholes.append(watch.whole())
        in_runs.append(watch.in_run())
    found.whole.append(wholes)
    found.reading.append(watch.reading())
    found.in_run.append(_medians(zip(*in_runs, strict=True), found.reading[-1]))
    found.alone.append(_medians(watch.alone(runs), found.reading[-1]))
    found.peak.append(median(watch.peak() for _ in range(PEAKS)))
    found.bandwidth.append([median(watch.bandwidth(buffer) for _ in range(PEAKS)) for buffer in buffers])


def _medians(steps: Iterable[Sequence[float]], reading: float) -> list[float]:
    """The median time of each step, without what a reading of the clock takes."""
    return [max(0.0, median(times) - reading) for times in steps]


def _result(
    description: Description, found: Rounds, buffers: dict[str, int], *, runs: int, machine: Machine
) -> Profile:
    madds = int(description.metadata["madds"])
    wholes = [median(times) for times in found.whole]
    return Profile(
        name=description.name,
        directory=description.folder,
        target=str(description.metadata["target"]["name"]),
        threads=description.threads,
        rounds=len(found.whole),
        runs=runs,
        madds=madds,
        timing=timing.summarise(found.whole),
        spread=timing.spread(found.whole),
        sum_share=median(sum(steps) / whole for steps, whole in zip(found.in_run, wholes, strict=True)),
        reading_ns=1e6 * median(found.reading),
        peak_gmacs=median(found.peak),
        peak_share=_share(madds, wholes, found.peak),
        bandwidths=tuple(
            Bandwidth(name, size, median(rates))
            for (name, size), rates in zip(buffers.items(), zip(*found.bandwidth, strict=True), strict=True)
        ),
        steps=tuple(_step(description, found, index) for index in range(len(description.steps))),
        arena=costs.arena(description),
        machine=machine,
    )


def _step(description: Description, found: Rounds, index: int) -> StepProfile:
    step = description.steps[index]
    times = [per_step[index] for per_step in found.in_run]
    return StepProfile(
        number=index,
        name=step.name,
        stages=step.stages,
        madds=step.madds,
        median_ms=median(times),
        alone_ms=median(per_step[index] for per_step in found.alone),
        peak_share=_share(step.madds, times, found.peak) if step.madds else None,
        traffic=costs.traffic(description, index),
        arena_bytes=costs.alive(description, index),
        is_fallback=step.is_fallback,
    )


def _share(madds: int, times: Sequence[float], peaks: Sequence[float]) -> float:
    """The share of the peak, formed within each round; the median over the rounds."""
    return median(madds / 1e6 / time / peak if time else 0.0 for time, peak in zip(times, peaks, strict=True))
