"""How a session is shown: a table on a terminal, a line per batch elsewhere."""

from __future__ import annotations

import io

from mnv2c.tune.session.progress import duration, line, session_progress, table
from mnv2c.tune.session.standing import ChainStanding, Phase, Standing

CHAIN = ChainStanding("bottleneck_03", 2, 8, 12.5e-6, 11e-6, 10e-6, 0.8, 0.61, "searching")
NEW = ChainStanding("head", 1, 0, None, None, None, 1.0, None, "searching")
STANDING = Standing(Phase.SEARCH, 8, 300, 12.3, 612.0, "s", (CHAIN, NEW), 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_per_batch() -> None:
    stream = io.StringIO()
    with session_progress(stream=stream) as watch:
        watch(STANDING)
        watch(Standing(Phase.CONFIRM, 300, 300, 700.0, 20.0, "s", (CHAIN,), None, "head: 1 crashed"))
    assert stream.getvalue().splitlines() == [
        "search: 8 of 300 trials, 12 s, about 10 min left | bottleneck_03: default 12.5 us, now 11.0 us, "
        "best 10.0 us (0.800), 61% of peak",
        "confirmation: 300 of 300 trials, 12 min, about 20 s left | head: 1 crashed",
    ]


def test_a_terminal_gets_a_table_that_disappears_and_notes_that_stay() -> None:
    stream = Terminal()
    with session_progress(stream=stream) as watch:
        watch(STANDING)
        watch(Standing(Phase.SEARCH, 9, 300, 13.0, None, "s", (CHAIN, NEW), 1, "head: 1 hung"))
    text = stream.getvalue()
    for word in (
        "bottleneck_03 x2",
        "12.5",
        "11.0",
        "10.0",
        "best us",
        "0.800",
        "61%",
        "searching",
        "1 hung",
        "9 of 300",
    ):
        assert word in text, word


def test_quiet_is_silent() -> None:
    stream = io.StringIO()
    with session_progress(quiet=True, stream=stream) as watch:
        watch(STANDING)
    assert stream.getvalue() == ""


def test_what_an_emulator_counts_has_no_unit_of_time() -> None:
    counted = ChainStanding("stem", 1, 3, 2.5e6, 2.4e6, 2e6, 0.8, None, "searching")
    standing = Standing(Phase.SEARCH, 3, 9, 5.0, None, "cost", (counted,), 0)
    assert "default 2.500 M, now 2.400 M, best 2.000 M (0.800), - of peak" in line(standing)
    assert table(standing).row_count == 1


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 99.4, 100, 1234)] == ["0 s", "99 s", "2 min", "21 min"]
