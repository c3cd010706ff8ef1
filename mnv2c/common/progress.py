"""Shows how far a compile has come: a bar on a terminal, one line per phase elsewhere. Both go to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

#: Called with the name of the phase that runs now and the share of the whole work done before it, in [0, 1].
Report = Callable[[str, float], None]


@contextmanager
def progress(quiet: bool = False, stream: TextIO | None = None) -> Iterator[Report]:
    """Yield the callback that a long-running function reports to; nothing is shown when ``quiet``."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield lambda phase, fraction: None
    elif stream.isatty():
        with _bar(stream) as report:
            yield report
    else:
        yield _lines(stream)


def _lines(stream: TextIO) -> Report:
    """Print a line whenever the phase changes: seconds so far, percent, phase."""
    start = time.monotonic()
    last = ""

    def report(phase: str, fraction: float) -> None:
        nonlocal last
        if phase != last:
            last = phase
            print(f"[{time.monotonic() - start:5.1f} s] {fraction:4.0%} {phase}", file=stream, flush=True)

    return report


@contextmanager
def _bar(stream: TextIO) -> Iterator[Report]:
    """Draw one bar that disappears at the end, so that only the result stays on the screen."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as display:
        task = display.add_task("starting", total=1.0)

        def report(phase: str, fraction: float) -> None:
            display.update(task, description=phase, completed=min(max(fraction, 0.0), 1.0))

        yield report
