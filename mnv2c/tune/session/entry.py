"""The function behind ``mnv2c tune``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.common.progress import progress
from mnv2c.compiler.options import PlanOptions
from mnv2c.records.folders import own_file
from mnv2c.tune.devices.open import open_device
from mnv2c.tune.session import tasks
from mnv2c.tune.session.progress import session_progress
from mnv2c.tune.session.result import Tuned
from mnv2c.tune.session.run import LOCAL, Asked, run_session

if TYPE_CHECKING:
    from mnv2c.from_onnx.input_shapes import Given
    from mnv2c.targets import Target


def tune_model(
    model: str | Path,
    target: str | Path = "host",
    *,
    device: str | None = None,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
    input_shape: Given = None,
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
    in at most ``minutes``. ``input_shape`` is as for ``compile``. ``resume`` goes on with the session that was
    interrupted. ``allow_rpc`` is needed for "rpc://" and "tracker://", which are unauthenticated. ``show`` shows
    progress on stderr. UserError, DeviceError, OutputError; Ctrl-C gives a result that says so.
    """
    asked = Asked(str(model), str(target), device, trials, minutes, seed, resume, allow_rpc, schedules)
    asked.check()
    options = PlanOptions(
        model=model,
        target=target,
        width=width,
        resolution=resolution,
        classes=classes,
        input_shape=input_shape,
        threads=threads,
    )
    _check_places(asked, tasks.read_target(options), threads)
    with progress(not show) as tell:
        problem = tasks.read(replace(options, progress=tell))
    with session_progress(not show) as watch:
        return run_session(problem, asked, watch)


def _check_places(asked: Asked, target: Target, threads: int) -> None:
    """Find out before a plan is made, which takes its time, whether there is such a device and a place for records."""
    own_file(target.entry, asked.schedules)
    if asked.allow_rpc or (asked.resume and asked.device is None):
        return  # opening says what RPC means, and once is enough; a session that is resumed knows its device
    open_device(asked.device or LOCAL, target, threads=threads)
