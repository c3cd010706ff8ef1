"""One client of TVM's RPC servers, in a process of its own: ``python -m mnv2c.tune.devices.rpc_client``.

TVM's calls cannot be interrupted, and one to a board that has lost its power waits for ever: then this process is
killed. Requests and answers are lines of JSON on standard input and output; every request gets one answer, an object
with "error" where it failed. At the end of its input it disconnects: servers tidy up after every session.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

LIBRARY, OUTPUT = "measure.so", "measured.jsonl"
"""Names in the session's folder on the board."""

FUNCTION = "mnv2c_measure"

FACTS = {
    "online": "/sys/devices/system/cpu/online",
    "board": "/sys/firmware/devicetree/base/model",
    "model": "/sys/class/dmi/id/product_name",
    "midr": "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
}
"""What is worth reading on a board, by the names of ``facts``. Servers send whole files, but cannot read from /proc."""


class Client:
    """At most one session at a time; every method is a request, with its entries as arguments."""

    def __init__(self) -> None:
        self._session: Any = None
        self._measure: Any = None

    def connect(self, host: str, port: int, key: str, seconds: float) -> None:
        """Begin a session, which the server ends after ``seconds``."""
        from tvm import rpc

        self.disconnect()
        self._session = rpc.connect(host, port, key, session_timeout=seconds)

    def describe(self) -> str:
        """What the board says of itself, as NAME=VALUE lines."""
        lines = []
        for name, path in FACTS.items():
            try:
                value = bytes(self._session.download(path)).replace(b"\0", b"").decode("utf-8", "replace").strip()
            except RuntimeError:  # There is no such file.
                continue
            if name == "midr" and value:
                name, value = "part", f"0x{int(value, 16) >> 4 & 0xFFF:03x}"
            lines.append(f"{name}={value}")
        return "\n".join(lines)

    def load(self, path: str) -> None:
        """Send the library at ``path`` and load it there."""
        self._session.upload(path, LIBRARY)
        self._measure = self._session.load_module(LIBRARY)[FUNCTION]

    def check(self) -> None:
        """Ask the server for something that it always has: fails where it is gone."""
        self._session.get_function("tvm.rpc.server.workpath")(OUTPUT)

    def measure(self, before: str, numbers: str) -> str:
        """Call the library with the words ``before``, the name of a file, ``numbers``; the file's text."""
        output = self._session.get_function("tvm.rpc.server.workpath")(OUTPUT)
        status = self._measure(f"{before} {output} {numbers}")
        if status:
            raise RuntimeError(f"the measuring program ended with status {status}")
        return bytes(self._session.download(OUTPUT)).decode("utf-8", "replace")

    def disconnect(self) -> None:
        """End the session; the server removes its folder and is free for the next."""
        self._measure = None
        self._session = None
        gc.collect()  # The connection is closed with the last reference to it.


def serve(client: Client, answer: Callable[[dict[str, object]], None]) -> None:
    """Answer the requests on standard input until it ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer({"result": getattr(client, request.pop("do"))(**request)})
        except Exception as error:  # Whatever it is: the other side decides what to make of it.
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            answer({"error": lines[-1] if lines else type(error).__name__})
            del error
            gc.collect()
    client.disconnect()


def main() -> NoReturn:
    """Import TVM, say so, serve, and end."""
    # TVM prints, too: the answers keep the standard output for themselves.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content: dict[str, object]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    import tvm.rpc  # noqa: F401 (takes seconds, and a tracker's board waits no longer)

    answer({"result": "ready"})
    serve(Client(), answer)
    os._exit(0)  # Everything is closed, and taking TVM apart would take seconds.


if __name__ == "__main__":
    main()
