"""A client of RPC servers for tests without TVM: the real process and its requests, but nobody behind them.

A number below 2000 is measured; 2000 takes a minute; 2001 ends the process; 2002 is refused; 2003 gives no answer.
The port says what becomes of a connection: 1 is refused, 2 takes a minute; behind port 3 no library can be loaded, and
port 4 goes away when it gets one.
Every request is noted in the file that FAKE_LOG names.
"""

import json
import os
import sys
import time

from mnv2c.tune.devices.rpc_client import Client, serve


class Fake(Client):
    def __init__(self) -> None:
        super().__init__()
        self.port = 0

    def note(self, *words: object) -> None:
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(" ".join(map(str, words)) + "\n")

    def connect(self, host: str, port: int, key: str, seconds: float) -> None:
        self.note("connect", port)
        self.port = port
        if port == 1:
            raise RuntimeError("connection refused")
        if port == 2:
            time.sleep(60)

    def describe(self) -> str:
        return "online=0-3\nboard=Fake"

    def load(self, path: str) -> None:
        self.note("load", path)
        if self.port == 3:
            raise RuntimeError("wrong ELF class")
        if self.port == 4:
            raise RuntimeError("connection reset")
        assert os.path.exists(path)

    def check(self) -> None:
        if self.port == 4:
            raise RuntimeError("broken pipe")

    def measure(self, before: str, numbers: str) -> str:
        self.note("measure", before, numbers)
        number = int(numbers)
        if number == 2000:
            time.sleep(60)
        if number == 2001:
            os._exit(1)
        if number == 2002:
            raise RuntimeError("refused")
        if number == 2003:
            return "broken line"
        return json.dumps({"number": number, "status": "ok", "cost": number, "ratio": 1.0}) + "\n"

    def disconnect(self) -> None:
        self.note("disconnect")


def answer(content: dict[str, object]) -> None:
    print(json.dumps(content), flush=True)


answer({"result": "ready"})
serve(Fake(), answer)
sys.exit()
