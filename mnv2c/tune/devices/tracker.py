"""``tracker://HOST:PORT/KEY``: all boards that TVM's tracker knows by a key, each with a batch of its own at a time.

The tracker's protocol is spoken here, because TVM's own client waits for a board without a limit: a number that says
what is spoken, then messages of JSON, each behind its length.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mnv2c.errors import UserError
from mnv2c.tune.devices.retry import Patience, UnreachableError
from mnv2c.tune.devices.rpc import Place, RpcDevice, caution, permitted

if TYPE_CHECKING:
    from mnv2c.targets import Target

PORT = 9190
"""Where TVM's tracker listens unless told otherwise."""

MAGIC, SUCCESS, REQUEST, SUMMARY = 0x2F271, 0, 4, 6
"""As in tvm.rpc.base, to which a test compares them: importing that would import all of TVM."""

ANSWER_SECONDS = 10.0
WAIT_SECONDS = 900.0
"""Until a board is free: other sessions, and this one's other batches, may use all of them."""

LOOK_SECONDS = 2.0
"""Between two looks at whether there is any board to wait for."""


class Tracker:
    """The boards with ``key`` at a tracker; see ``rpc.Places``."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._where = f"the tracker at {host}:{port}"
        self._address = (host, port)
        self._key = key

    def count(self) -> int:
        """See ``rpc.Places``."""
        keys = self._keys()
        if self._key not in keys:
            others = f" (it knows {', '.join(sorted(set(keys)))})" if keys else ""
            raise UnreachableError(f'{self._where} has no board with the key "{self._key}"{others}')
        return keys.count(self._key)

    def take(self, stop: threading.Event) -> Place:
        """See ``rpc.Places``."""
        end = time.monotonic() + WAIT_SECONDS
        with closing(self._connect()) as connection:
            _send(connection, [REQUEST, self._key, "", 1])
            while not select.select([connection], [], [], LOOK_SECONDS)[0]:
                if stop.is_set():
                    raise UnreachableError("the session is over")
                if time.monotonic() > end:
                    raise UnreachableError(f"{self._where} had no free board for {WAIT_SECONDS:.0f} s")
                self.count()
            host, port, key = self._receive(connection)
            return Place(host, port, key)

    def _keys(self) -> list[str]:
        """The keys of all boards, once for each."""
        with closing(self._connect()) as connection:
            _send(connection, [SUMMARY])
            return [server["key"].removeprefix("server:") for server in self._receive(connection)["server_info"]]

    def _connect(self) -> socket.socket:
        connection = None
        try:
            connection = socket.create_connection(self._address, timeout=ANSWER_SECONDS)
            connection.sendall(struct.pack("<i", MAGIC))
            if struct.unpack("<i", _read(connection, 4))[0] == MAGIC:
                return connection
        except OSError as error:
            if connection is not None:
                connection.close()
            raise UnreachableError(f"{self._where} cannot be reached ({error.strerror or error})") from error
        connection.close()
        raise UnreachableError(f"{self._where} is not TVM's")

    def _receive(self, connection: socket.socket) -> Any:
        try:
            length = struct.unpack("<i", _read(connection, 4))[0]
            status, value = json.loads(_read(connection, length))
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{self._where} broke off ({error})") from error
        if status != SUCCESS:
            raise UnreachableError(f"{self._where} refuses ({value})")
        return value


def _send(connection: socket.socket, message: object) -> None:
    content = json.dumps(message).encode()
    connection.sendall(struct.pack("<i", len(content)) + content)


def _read(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = connection.recv(count - len(content))
        if not part:
            raise ConnectionResetError("connection closed")
        content += part
    return content


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> RpcDevice:
    """The device of ``tracker://``, connected when entered; UserError for a malformed URL, or without ``allow_rpc``."""
    address = permitted(url, allow_rpc, PORT)
    key = address.path.strip("/")
    if not key:
        raise UserError(f'--device "{url}": which boards? tracker://HOST:PORT/KEY, with the KEY of their servers')
    patience = Patience(address.url)
    caution(address, patience)
    return RpcDevice(address, Tracker(address.host, address.port or PORT, key), patience)
