"""Where a library spends its time and memory: times of its steps on this machine beside its peak, and the arena."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import UserError

if TYPE_CHECKING:
    from mnv2c.benchmark.profile.result import Profile

SEED = 0


def profile(
    directory: Path,
    *,
    rounds: int = 9,
    runs: int | None = None,
    variant: str | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Profile:
    """Profile the library in ``directory``; UserError for impossible options, LibraryError where it cannot run here.

    ``rounds`` interleaved rounds, in each of which everything that is timed has a turn; ``runs`` is how often the
    library runs in a turn (by default as often as takes 50 ms); ``variant`` is one of the CPUs that it has kernels for.
    """
    for flag, value in (("--rounds", rounds), ("--runs", runs)):
        if value is not None and value < 1:
            raise UserError(f"{flag} is {value}; it must be at least 1")
    from mnv2c.benchmark.profile import measure
    from mnv2c.benchmark.result import machine
    from mnv2c.runtime.execution import described
    from mnv2c.verification.comparison import random_inputs

    where, description = machine(), described(directory, variant, local=True)
    inputs = tuple(random_inputs(description, SEED).values())
    return measure.measure(description, inputs, rounds=rounds, runs=runs, machine=where, progress=progress)
