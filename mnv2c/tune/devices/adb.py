"""``adb://SERIAL/FOLDER``: an Android phone on which USB debugging is on. It needs no root and no app."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mnv2c.errors import DeviceError
from mnv2c.tune.devices import process, scripts
from mnv2c.tune.devices.address import Address, read_address
from mnv2c.tune.devices.board import SECONDS, BoardDevice
from mnv2c.tune.devices.process import Finished
from mnv2c.tune.devices.retry import Patience, UnreachableError

if TYPE_CHECKING:
    from mnv2c.targets import Target

REMEDIES = {
    "unauthorized": "allow USB debugging for this computer on the phone's screen",
    "no permissions": "this user may not open the USB device; see the udev rules at developer.android.com",
    "more than one device": "several phones are there; name one of `adb devices`: adb://SERIAL",
    "more than one emulator": "several phones are there; name one of `adb devices`: adb://SERIAL",
}
"""What no further try mends, by the words of adb."""


class AdbShell:
    """See ``board.Shell``. ``stop`` ends whatever is waited for."""

    folder = "/data/local/tmp"
    """The one place from which Android's shell may run programs."""

    def __init__(self, address: Address, stop: threading.Event) -> None:
        self._address = address
        self._stop = stop

    def connect(self, last_words: str) -> None:
        """See ``board.Shell``; the connection is adb's own, and nothing is run at its end."""
        done = self._adb(["get-state"], SECONDS)
        if done.status != 0 or done.output.strip() != "device":
            raise self._failure(done.reason if done.status != 0 else f"the phone is in state {done.output.strip()}")

    def run(self, script: str, *, limit: float, on_line: Callable[[str], None] | None = None) -> Finished:
        """See ``board.Shell``."""
        done = self._adb(["shell", scripts.marked(script)], limit, on_line)
        own = scripts.unmarked(done)
        if own is None:
            raise self._failure(done.reason if done.status else "the connection broke")
        return own

    def push(self, content: bytes, folder: str, *, limit: float) -> Finished:
        """See ``board.Shell``."""
        with tempfile.NamedTemporaryFile(prefix="mnv2c-") as file:
            file.write(content)
            file.flush()
            done = self._adb(["push", file.name, f"{folder}/new"], limit)
        if done.status == 0:
            return self.run(scripts.install(folder), limit=SECONDS)
        self.connect("")  # Where the phone is gone, that is the reason.
        # Old versions write their errors to the standard output.
        return Finished(done.status, "", done.errors if done.errors.strip() else done.output)

    def disconnect(self) -> None:
        """See ``board.Shell``; nothing is open."""

    def _adb(self, arguments: list[str], limit: float, on_line: Callable[[str], None] | None = None) -> Finished:
        which = ["-s", self._address.host] if self._address.host else []
        try:
            return process.run(["adb", *which, *arguments], limit=limit, on_line=on_line, stop=self._stop)
        except UnreachableError:
            raise
        except DeviceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise DeviceError(f"{self._address.url}: adb is missing; install it (apt-get install adb)") from error
            raise

    def _failure(self, said: str) -> DeviceError:
        for words, remedy in REMEDIES.items():
            if words in said:
                return DeviceError(f"{self._address.url}: {remedy} ({said})")
        return UnreachableError(f"{self._address.url} cannot be reached ({said}); is it in the list of `adb devices`?")


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> BoardDevice:
    """The device of ``adb://``; UserError where ``url`` is malformed. It is connected when it is entered."""
    address = read_address(url)
    patience = Patience(address.url)
    return BoardDevice(address, target, AdbShell(address, patience.stop), patience)
