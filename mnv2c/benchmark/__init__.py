"""Measures compiled libraries: times against their peers on this machine, or counts under emulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mnv2c.benchmark.result import Emulated, Timed
from mnv2c.errors import UserError, nearest

__all__ = ["DEVICES", "Emulated", "Timed", "bench"]

DEVICES = ("local", "emulator")
SEED = 0


def bench(
    directory: Path,
    *,
    threads: int = 1,
    rounds: int = 9,
    runs: int | None = None,
    against: str | list[str] | tuple[str, ...] = (),
    device: str = "local",
    steps: bool = False,
    variant: str | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Timed | Emulated:
    """Measure the library in ``directory``; UserError for impossible options, LibraryError where it cannot run.

    On "local": ``rounds`` interleaved rounds of ``runs`` runs each (by default as many as take 50 ms), the peers named
    by ``against`` in the same rounds. On "emulator": counts of one thread, with ``steps`` also per step; peers as
    ``make arm-peers`` prepares them. ``variant`` is one of the CPUs that the library has kernels for; without, those it
    chooses itself, or when emulated the best.
    """
    from mnv2c.benchmark import compare, counts, emulated, peers, result
    from mnv2c.runtime.execution import described
    from mnv2c.verification.comparison import random_inputs

    names = peers.chosen(against)
    _check(device, rounds=rounds, runs=runs, threads=threads, steps=steps)
    description, machine = described(directory, variant, local=device == "local"), result.machine()
    inputs = tuple(random_inputs(description, SEED).values())
    if device == "emulator":
        progress("counting", 0.0)
        counted = counts.count(description, inputs, steps=steps)
        found, missing = emulated.count(description, inputs, names, counted, progress)
        target, madds = str(description.metadata["target"]["name"]), int(description.metadata["madds"])
        return Emulated(description.name, description.folder, target, madds, counted, found, missing, machine)
    return compare.compare(
        description, inputs, names, threads=threads, rounds=rounds, runs=runs, machine=machine, progress=progress
    )


def _check(device: str, *, rounds: int, runs: int | None, threads: int, steps: bool) -> None:
    if device not in DEVICES:
        raise UserError(f'--device "{device}": unknown; use {" or ".join(DEVICES)}{nearest(device, DEVICES)}')
    for flag, value in (("--rounds", rounds), ("--runs", runs), ("--threads", threads)):
        if value is not None and value < 1:
            raise UserError(f"{flag} is {value}; it must be at least 1")
    if device == "local" and steps:
        raise UserError("--steps: counts per step need --device emulator")
