"""``rpc://HOST:PORT/KEY``: one board on which TVM's own RPC server runs; and what several of them have in common.

The server runs any code for whoever reaches its port, and nothing that it sends is encrypted. So it is used only where
the user says so, and on this machine's loopback unless the URL names another host.
"""

from __future__ import annotations

import ipaddress
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from mnv2c.errors import DeviceError, UserError
from mnv2c.tune.devices.address import Address, read_address
from mnv2c.tune.devices.base import Batch, Form, Machine
from mnv2c.tune.devices.board import SLOWEST, pick
from mnv2c.tune.devices.facts import Facts, read_facts
from mnv2c.tune.devices.retry import SLACK, FinalError, KilledError, Patience, UnreachableError, silence
from mnv2c.tune.devices.rpc_process import ClientProcess, RefusedError
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.targets import Target

LOOPBACK = "127.0.0.1"
PORT = 9090
"""Where TVM's server listens unless told otherwise."""

CONNECT_SECONDS = 60.0
"""A server that serves somebody else lets others wait."""

WARNING = "TVM's RPC has neither passwords nor encryption: whoever reaches its port can run any code there"


@dataclass(frozen=True)
class Place:
    """Where a server waits for one session, and the key that it wants to hear."""

    host: str
    port: int
    key: str


class Places(Protocol):
    """The boards of a URL."""

    def count(self) -> int:
        """How many there are, at least 1; UnreachableError where there is none."""
        ...

    def take(self, stop: threading.Event) -> Place:
        """One that is free, for one session; waits for it, UnreachableError where that is in vain."""
        ...


@dataclass(frozen=True)
class OnePlace:
    """Always the same board."""

    place: Place

    def count(self) -> int:
        """See ``Places``."""
        return 1

    def take(self, stop: threading.Event) -> Place:
        """See ``Places``."""
        return self.place


class RpcDevice:
    """The boards at ``places``, as many batches at a time; see ``base.Device``. ``start`` makes a client's process."""

    form = Form.SHARED
    unit = "s"

    def __init__(
        self, address: Address, places: Places, patience: Patience, start: Callable[[], ClientProcess] = ClientProcess
    ) -> None:
        self.url = address.url
        self.lanes = 1
        self._core = address.core
        self._places = places
        self._patience = patience
        self._start = start
        self._facts = Facts()
        self._lock = threading.Lock()
        self._idle: list[ClientProcess] = []
        self._free = threading.Semaphore(0)

    def __enter__(self) -> Self:
        """Count the boards, and let one describe itself; DeviceError where none can be reached."""
        try:
            self._patience.open(self._open)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect, which makes the servers tidy up; what is measured meanwhile comes to the candidate's end."""
        self._patience.stop.set()
        for _ in range(self.lanes):
            self._free.acquire()
        self._close()
        self._free.release(self.lanes)  # What still waits for a board hears that the session is over.

    def machine(self) -> Machine:
        """What one of the boards said of itself."""
        return self._facts.machine

    def measure(self, batch: Batch) -> Sequence[Measured]:
        """See ``base.Device``."""
        with self._free:
            if self._patience.stop.is_set():
                return [Measured(Status.LOST, detail="the session is over") for _ in batch.numbers]
            with self._client() as client, tempfile.NamedTemporaryFile(prefix="mnv2c-", suffix=".so") as file:
                file.write(batch.content)
                file.flush()

                def attempt(numbers: Sequence[int], found: Callable[[int, Measured], None]) -> None:
                    self._attempt(client, file.name, batch, numbers, found)

                return self._patience.measure(batch.numbers, attempt)

    def _attempt(
        self,
        client: ClientProcess,
        library: str,
        batch: Batch,
        numbers: Sequence[int],
        found: Callable[[int, Measured], None],
    ) -> None:
        send = SLACK + len(batch.content) / SLOWEST
        core = self._facts.last_core if self._core is None else self._core
        with self._session(client, send + len(numbers) * silence(batch.limit)) as place:
            board = f"{place.host}:{place.port}"
            try:
                client.ask(send, "load", path=library)
            except RefusedError as error:
                if not _answers(client):
                    raise UnreachableError(f"{board} went away while the candidates were sent ({error})") from error
                raise FinalError(
                    f"{board} cannot load the candidates ({error}); is --target the CPU there, and --libc its C "
                    f"library?"
                ) from error
            for number in numbers:  # One by one, so that none is lost with the next.
                if self._patience.stop.is_set():
                    raise DeviceError("the session is over")
                words = {"before": f"{batch.limit:g} {core}", "numbers": str(number)}
                try:
                    text = client.ask(silence(batch.limit), "measure", **words)
                except RefusedError as error:
                    raise KilledError(f"{board} did not measure candidate {number}: {error}") from error

                def take(number: int, result: Measured, board: str = board) -> None:
                    found(number, replace(result, conditions={**result.conditions, "board": board}))

                if pick(text.splitlines(), [number], self.url, take):
                    raise KilledError(f"{board} gave no answer for candidate {number}")

    @contextmanager
    def _session(self, client: ClientProcess, seconds: float) -> Iterator[Place]:
        """A session with a board that is free, for at most ``seconds``."""
        client.start()  # Before the board is taken: it does not wait.
        place = self._places.take(self._patience.stop)
        try:
            client.ask(CONNECT_SECONDS, "connect", host=place.host, port=place.port, key=place.key, seconds=seconds)
        except RefusedError as error:
            raise UnreachableError(f"{place.host}:{place.port} cannot be reached ({error})") from error
        except UnreachableError as error:
            raise UnreachableError(f"{place.host}:{place.port}: {error}; does another session use it?") from error
        try:
            yield place
        finally:
            if client.running:
                client.ask(SLACK, "disconnect")

    @contextmanager
    def _client(self) -> Iterator[ClientProcess]:
        """A client's process that nobody else uses meanwhile."""
        with self._lock:
            client = self._idle.pop() if self._idle else self._start()
        try:
            yield client
        finally:
            with self._lock:
                self._idle.append(client)

    def _open(self) -> None:
        lanes = self._places.count()
        with self._client() as client, self._session(client, CONNECT_SECONDS):
            try:
                self._facts = read_facts(client.ask(SLACK, "describe"))
            except RefusedError as error:
                raise UnreachableError(f"the board does not answer ({error})") from error
        self.lanes = lanes
        self._free = threading.Semaphore(lanes)

    def _close(self) -> None:
        with self._lock:
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()


def _answers(client: ClientProcess) -> bool:
    """Whether the board of the session is there: what failed was its own doing then."""
    try:
        client.ask(SLACK, "check")
    except (RefusedError, UnreachableError):
        return False
    return True


def permitted(url: str, allow_rpc: bool, default_port: int) -> Address:
    """The address of a URL, with loopback and a port where it has none.

    UserError where it is malformed, or the user has not said that RPC may be used.
    """
    address = read_address(url)
    if not allow_rpc:
        raise UserError(
            f'--device "{url}": {WARNING}; if you want that, on a network in which you trust everybody, say --allow-rpc'
        )
    return replace(address, host=address.host or LOOPBACK, port=address.port or default_port)


def caution(address: Address, patience: Patience) -> None:
    """Say plainly what it means to use another host."""
    if not is_loopback(address.host):
        tunnel = f"ssh -L {address.port}:localhost:{address.port} {address.host}"
        patience.warn(
            f"{address.url}: {WARNING}; where others use the network, listen on loopback there and go by {tunnel}"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by a name or number that never leaves it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def open_url(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> RpcDevice:
    """The device of ``rpc://``, connected when entered; UserError for a malformed ``url``, or without ``allow_rpc``."""
    address = permitted(url, allow_rpc, PORT)
    patience = Patience(address.url)
    caution(address, patience)
    place = Place(address.host, address.port or PORT, address.path.strip("/"))
    return RpcDevice(address, OnePlace(place), patience)
