"""Devices fail for a while: what may pass is tried again after growing pauses, what stays is reported as lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mnv2c.errors import DeviceError
from mnv2c.tune.space.task import Measured, Status

Warn = Callable[[str], None]
"""Called with one line for the user."""


def say(line: str) -> None:
    """Print a warning, where nobody listens to it more closely."""
    print(f"mnv2c: warning: {line}", file=sys.stderr)


Attempt = Callable[[Sequence[int], Callable[[int, Measured], None]], None]
"""Measures the numbers that are left and hands over each result at once; DeviceError where it cannot go on."""


class UnreachableError(DeviceError):
    """There is no way to the device, or it has gone silent: a cable, a network, a reboot."""


class FullError(DeviceError):
    """There is no room for the candidates on the device."""


class KilledError(DeviceError):
    """The device answers, but the measuring program ended before its time."""


class FinalError(DeviceError):
    """Nothing that time mends, even in the middle of a session."""


PASSING = (UnreachableError, FullError, KilledError)
"""What may be over by itself. At the start of a session any other DeviceError is final."""

OPENING = (1.0, 3.0)
"""Seconds to wait before each further try to connect for the first time, when the user is watching."""

PAUSES = (1.0, 4.0, 15.0, 40.0, 90.0)
"""The same in the middle of a session: a board takes a minute or two to start again."""

KILLED = (1.0, 5.0)
"""The same where the device answers but the program is killed: it may have been in the way of something once."""

SLACK = 30.0
"""Seconds by which a slow network or a busy board may be late."""

GIVEN_UP = (1.0,)
"""The same after all pauses were in vain, until the device answers again: a session of many batches has to end."""


def silence(limit: float) -> float:
    """Seconds without a line after which a device counts as gone, where one candidate may take ``limit`` seconds.

    The program itself ends a candidate that hangs, so this is only for devices that are no more.
    """
    return 2 * limit + SLACK


@dataclass
class Patience:
    """How often and after which pauses (seconds) one device is tried again; tells ``warn`` whenever it is.

    Usable from several threads. ``stop`` ends a pause, and with it all further tries.
    """

    name: str
    warn: Warn = say
    pauses: Sequence[float] = PAUSES
    killed: Sequence[float] = KILLED
    given_up: Sequence[float] = GIVEN_UP
    opening: Sequence[float] = OPENING
    stop: threading.Event = field(default_factory=threading.Event)
    lost: bool = False

    def pause(self, pauses: Sequence[float], failures: int, error: DeviceError) -> bool:
        """Wait before the next try after ``failures`` in a row; False where there shall be none."""
        if self.stop.is_set() or failures > len(pauses):
            return False
        seconds = pauses[failures - 1]
        self.warn(f"{self.name}: {error}; trying again in {seconds:.0f} s ({failures} of {len(pauses)})")
        return not self.stop.wait(seconds)

    def open(self, connect: Callable[[], None]) -> None:
        """Call ``connect`` until it succeeds; the last DeviceError where it does not."""
        failures = 0
        while True:
            try:
                return connect()
            except PASSING as error:
                failures += 1
                if not self.pause(self.opening, failures, error):
                    raise

    def measure(self, numbers: Sequence[int], attempt: Attempt) -> list[Measured]:
        """Measure ``numbers``, in order, with as many calls of ``attempt`` as it takes.

        Nothing that was measured is measured again. A candidate in whose course the program is killed every time,
        on a device that answers, has crashed; where the device stays away, what is left is lost.
        """
        found: dict[int, Measured] = {}
        failures = 0
        while left := [number for number in numbers if number not in found]:
            before = len(found)
            try:
                attempt(left, found.__setitem__)
                if len(found) == before:
                    raise KilledError("the measuring program ended without an answer")
                failures, self.lost = 0, False
            except DeviceError as error:
                if len(found) > before:
                    failures, self.lost = 0, False
                failures += 1
                if not self.pause(self._pauses(error), failures, error):
                    self._give_up(error, left, found)
                    failures = 0
        return [found[number] for number in numbers]

    def _pauses(self, error: DeviceError) -> Sequence[float]:
        if isinstance(error, FinalError):
            return ()
        if isinstance(error, KilledError):
            return self.killed
        return self.given_up if self.lost else self.pauses

    def _give_up(self, error: DeviceError, left: Sequence[int], found: dict[int, Measured]) -> None:
        remaining = [number for number in left if number not in found]
        if isinstance(error, KilledError) and not self.stop.is_set():
            found[remaining[0]] = Measured(Status.CRASHED, detail=str(error))
            return
        self.lost = True
        self.warn(f"{self.name}: {error}; given up, {len(remaining)} candidates are not measured")
        found.update({number: Measured(Status.LOST, detail=str(error)) for number in remaining})
