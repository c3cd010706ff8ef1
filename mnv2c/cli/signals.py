"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is half done is undone, and children are ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""What is said of each."""


class EndedError(BaseException):
    """A signal asks the command to end. No `Exception`, so that nothing takes it for a failure to be mended."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What shells report for a program that the signal ended."""
        return 128 + self.number

    @property
    def words(self) -> str:
        """What to say of it."""
        return ENDING[signal.Signals(self.number)]


class Watch:
    """``ended`` is the signal that came, if any: libraries may turn the exception into one of their own."""

    ended: EndedError | None = None

    def _end(self, number: int, frame: FrameType | None) -> None:
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)  # cleaning up is not to be interrupted
        self.ended = EndedError(number)
        raise self.ended


@contextmanager
def watched() -> Iterator[Watch]:
    """Let the signals raise `EndedError`, but for one that was ignored before (nohup); outside the main thread nothing.

    Handlers are as they were afterwards, unless one of the signals came.
    """
    watch = Watch()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, watch._end)
        yield watch
    finally:
        if watch.ended is None:  # else the process is about to exit, and a second signal is not to change how
            for number, handler in before.items():
                signal.signal(number, handler)
