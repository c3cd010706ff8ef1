"""The function behind ``mnv2c tune``."""

from __future__ import annotations

from pathlib import Path

from mnv2c.progress import progress
from mnv2c.tune import tasks
from mnv2c.tune.progress import session_progress
from mnv2c.tune.result import Tuned
from mnv2c.tune.run import Asked, run_session


def tune_model(
    model: str | Path,
    target: str | Path = "host",
    *,
    device: str | None = None,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
    threads: int = 1,
    trials: int | None = None,
    minutes: float | None = None,
    schedules: str | Path | None = None,
    resume: bool = False,
    seed: int | None = None,
    allow_rpc: bool = False,
    show: bool = False,
) -> Tuned:
    """Search for faster schedules of a model's chains by measuring them on ``device``, a URL ("local" by default).

    What is found is appended to the records in the folder ``schedules``, or the user's own, which later compiles use.
    At most ``trials`` candidates (300 by default) are measured, those of earlier sessions for the same network counted,
    in at most ``minutes``. ``resume`` goes on with the session that was interrupted. ``allow_rpc`` is needed for
    "rpc://" and "tracker://", which are unauthenticated. ``show`` shows progress on stderr. UserError, DeviceError,
    OutputError; Ctrl-C gives a result that says so.
    """
    asked = Asked(str(model), str(target), device, trials, minutes, seed, resume, allow_rpc, schedules)
    asked.check()
    with progress(not show) as tell:
        tunable = tasks.read(
            model, target, width=width, resolution=resolution, classes=classes, threads=threads, tell=tell
        )
    with session_progress(not show) as watch:
        return run_session(tunable, asked, watch)
