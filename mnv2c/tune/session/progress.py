"""Shows a session: a table that is drawn anew on a terminal, one line per batch elsewhere. Both go to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from mnv2c.tune.session.standing import ChainStanding, Phase, Standing, Watch

if TYPE_CHECKING:
    from rich.table import Table

REDRAWN = 4
"""Times per second."""


@contextmanager
def session_progress(quiet: bool = False, stream: TextIO | None = None) -> Iterator[Watch]:
    """Yield what a session reports to; nothing is shown when ``quiet``."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield lambda standing: None
    elif stream.isatty():
        with _live(stream) as watch:
            yield watch
    else:
        yield lambda standing: print(line(standing), file=stream, flush=True)


@contextmanager
def _live(stream: TextIO) -> Iterator[Watch]:
    """Draw a table that disappears at the end; what happened on the way stays above it."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    with Live(console=console, refresh_per_second=REDRAWN, transient=True) as live:

        def watch(standing: Standing) -> None:
            if standing.note:
                console.print(standing.note, style="yellow", highlight=False, markup=False)
            live.update(table(standing))

        yield watch


def table(standing: Standing) -> Table:
    """Return the table of all chains, with a title of how far the session is."""
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=title(standing), title_justify="left", title_style="", box=None, pad_edge=False)
    in_unit = "us" if standing.unit == "s" else "k"
    drawn.add_column("chain", overflow="ellipsis")
    for column in ("trials", "default", "now", f"best {in_unit}", "ratio", "peak"):
        drawn.add_column(column, justify="right", no_wrap=True)
    drawn.add_column("", no_wrap=True)
    for index, chain in enumerate(standing.chains):
        drawn.add_row(*map(escape, _cells(chain, standing.unit)), style="bold" if index == standing.at else None)
    return drawn


def _cells(chain: ChainStanding, unit: str) -> tuple[str, ...]:
    name = chain.label if chain.times == 1 else f"{chain.label} x{chain.times}"
    scale = 1e6 if unit == "s" else 1e-3
    costs = ("-" if value is None else f"{value * scale:.1f}" for value in (chain.default, chain.current, chain.best))
    return (name, str(chain.trials), *costs, f"{chain.ratio:.3f}", share(chain.peak_share), chain.state)


def title(standing: Standing) -> str:
    """Return one line: what runs, trials, and how much time is left."""
    left = "" if standing.left is None else f", about {duration(standing.left)} left"
    return f"{standing.phase}: {standing.trials} of {standing.most} trials, {duration(standing.elapsed)}{left}"


def line(standing: Standing) -> str:
    """Return one plain line for a log: how far the session is, and the chain that was measured last."""
    words = [title(standing)]
    if standing.at is not None and standing.phase != Phase.DONE:
        chain, unit = standing.chains[standing.at], standing.unit
        words.append(
            f"{chain.label}: default {cost(chain.default, unit)}, now {cost(chain.current, unit)}, "
            f"best {cost(chain.best, unit)} ({chain.ratio:.3f}), {share(chain.peak_share)} of peak"
        )
    if standing.note:
        words.append(standing.note)
    return " | ".join(words)


def cost(value: float | None, unit: str) -> str:
    """Return a cost for people: microseconds or milliseconds, or thousands or millions that an emulator counted."""
    if value is None:
        return "-"
    if unit != "s":
        return f"{value / 1e3:.1f} k" if value < 1e6 else f"{value / 1e6:.3f} M"
    return f"{value * 1e6:.1f} us" if value < 1e-3 else f"{value * 1e3:.3f} ms"


def share(value: float | None) -> str:
    """Return a share of the peak in percent."""
    return "-" if value is None else f"{value:.0%}"


def duration(seconds: float) -> str:
    """Return seconds as ``75 s`` or ``12 min``."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
