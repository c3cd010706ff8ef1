"""``ssh://USER@HOST:PORT/FOLDER``: a board that OpenSSH reaches without a password. It needs nothing but a shell.

One connection carries everything. It is held by a command on the board that waits for the end of its input and then
removes the session's folder: so that also happens where mnv2c is killed, or the network goes away for good.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from mnv2c.errors import DeviceError
from mnv2c.tune.devices import process, scripts
from mnv2c.tune.devices.address import Address, read_address
from mnv2c.tune.devices.board import BoardDevice
from mnv2c.tune.devices.process import Finished
from mnv2c.tune.devices.retry import Patience, UnreachableError

if TYPE_CHECKING:
    from mnv2c.targets import Target

CONNECT_SECONDS = 15

OPTIONS = {
    "BatchMode": "yes",  # never asks for anything
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ServerAliveInterval": "5",  # a board that lost its power closes nothing
    "ServerAliveCountMax": "3",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "EscapeChar": "none",
    "LogLevel": "ERROR",
}
"""What ssh is told whatever the user's own configuration says; that still gives hosts, keys and jumps."""

REMEDIES = {
    "Host key verification failed": "its key is not known, or not the known one: connect once by hand ({by_hand})",
    "Permission denied": "no key of yours is accepted there: ssh-copy-id, or ssh-add where the key has a passphrase",
    "Could not resolve hostname": "there is no such host",
    "Bad configuration option": "your ssh is too old, or its configuration is broken",
}
"""What no further try mends, by the words of ssh."""


class SshShell:
    """See ``board.Shell``. ``stop`` ends whatever is waited for."""

    folder = "/tmp"

    def __init__(self, address: Address, stop: threading.Event) -> None:
        self._address = address
        self._stop = stop
        self._place: Path | None = None
        self._holder: subprocess.Popen[bytes] | None = None

    def connect(self, last_words: str) -> None:
        """See ``board.Shell``."""
        self.disconnect()
        program = shutil.which("ssh")
        if program is None:
            raise DeviceError(
                f"{self._address.url}: ssh is missing; install OpenSSH's client (apt-get install openssh-client)"
            )
        self._place = Path(tempfile.mkdtemp(prefix="mnv2c-ssh-"))  # short: a socket's path has at most 107 bytes
        script = f"echo {scripts.MARK}; cat >/dev/null; {last_words}"
        with (self._place / "errors").open("wb") as errors:
            self._holder = subprocess.Popen(
                [*self._ssh("ControlMaster=yes"), self._remote(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for mnv2c, which then tidies up
            )
        self._await(self._holder)

    def run(self, script: str, *, limit: float, on_line: Callable[[str], None] | None = None) -> Finished:
        """See ``board.Shell``."""
        return self._run(script, limit, b"", on_line)

    def push(self, content: bytes, folder: str, *, limit: float) -> Finished:
        """See ``board.Shell``."""
        return self._run(scripts.take(folder), limit, content, None)

    def disconnect(self) -> None:
        """See ``board.Shell``."""
        holder, self._holder = self._holder, None
        if holder is not None:
            for stream in (holder.stdin, holder.stdout):
                if stream is not None:
                    stream.close()
            try:
                holder.wait(2)  # for the last words
            except subprocess.TimeoutExpired:
                holder.kill()
                holder.wait()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = None

    def _run(self, script: str, limit: float, content: bytes, on_line: Callable[[str], None] | None) -> Finished:
        if self._holder is None or self._holder.poll() is not None:
            raise self._failure(self._said() or "the connection is gone")
        command = [*self._ssh("ControlMaster=no"), self._remote(scripts.marked(script))]
        done = process.run(command, limit=limit, content=content, on_line=on_line, stop=self._stop)
        own = scripts.unmarked(done)
        if own is None:
            raise self._failure(self._said() or done.reason)
        return own

    def _await(self, holder: subprocess.Popen[bytes]) -> None:
        """Wait until the holding command runs on the board."""
        runs = threading.Event()
        stream = holder.stdout

        def listen() -> None:
            for line in stream or ():  # A shell may greet first.
                if line.strip() == scripts.MARK.encode():
                    return runs.set()

        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        end = time.monotonic() + 2 * CONNECT_SECONDS
        while reader.is_alive() and time.monotonic() < end and not self._stop.is_set():
            reader.join(process.TICK)
        if not runs.is_set():
            said = self._said()
            if holder.poll() is None and not said:
                said = f"no answer for {2 * CONNECT_SECONDS} s"
            holder.kill()
            holder.wait()
            raise self._failure(said or self._said() or "the connection was refused")

    def _said(self) -> str:
        """What the connection's own ssh said last."""
        path = self._place / "errors" if self._place else None
        lines = path.read_text("utf-8", "replace").split("\n") if path and path.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _failure(self, said: str) -> DeviceError:
        by_hand = f"ssh{f' -p {self._address.port}' if self._address.port else ''} {self._user_and_host}"
        for words, remedy in REMEDIES.items():
            if words in said:
                return DeviceError(f"{self._address.url}: {remedy.format(by_hand=by_hand)} ({said})")
        return UnreachableError(f"{self._address.url} cannot be reached ({said}); try by hand: {by_hand}")

    def _ssh(self, control: str) -> list[str]:
        options = [f"-o{name}={value}" for name, value in OPTIONS.items()]
        port = ["-p", str(self._address.port)] if self._address.port else []
        return ["ssh", *options, f"-o{control}", f"-oControlPath={self._place}/s", *port, "--", self._user_and_host]

    @property
    def _user_and_host(self) -> str:
        return f"{self._address.user}@{self._address.host}" if self._address.user else self._address.host

    @staticmethod
    def _remote(script: str) -> str:
        """The command line for the user's own shell there, whichever that is."""
        return f"exec sh -c {quote(script)}"


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> BoardDevice:
    """The device of ``ssh://``; UserError where ``url`` is malformed. It is connected when it is entered."""
    address = read_address(url)
    patience = Patience(address.url)
    return BoardDevice(address, target, SshShell(address, patience.stop), patience)
