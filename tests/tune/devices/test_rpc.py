"""Boards behind TVM's RPC as far as that goes without TVM: who may use them, and what is done where one fails."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mnv2c.errors import DeviceError, UserError
from mnv2c.targets import Target
from mnv2c.tune.devices import retry, rpc, rpc_client, tracker
from mnv2c.tune.devices.address import read_address
from mnv2c.tune.devices.base import Batch, Machine
from mnv2c.tune.devices.retry import Patience, UnreachableError
from mnv2c.tune.devices.rpc import OnePlace, Place, RpcDevice
from mnv2c.tune.devices.rpc_process import ClientProcess
from mnv2c.tune.devices.tracker import Tracker
from mnv2c.tune.space.task import Status
from tests.tune.devices.conftest import Warnings, in_thread, soon

FAKE = (sys.executable, str(Path(__file__).with_name("fake_client.py")))


@pytest.mark.parametrize("open_url", [rpc.open_url, tracker.open_url])
def test_it_is_off_unless_asked_for_and_says_why(open_url: Callable[..., RpcDevice], host: Target) -> None:
    scheme = open_url.__module__.rpartition(".")[2]
    with pytest.raises(UserError, match=r"can run any code there.*--allow-rpc"):
        open_url(f"{scheme}://127.0.0.1/key", host)


def test_it_stays_on_loopback_unless_another_host_is_named(host: Target, capsys: pytest.CaptureFixture[str]) -> None:
    assert rpc.open_url("rpc://", host, allow_rpc=True).url == "rpc://127.0.0.1:9090"
    assert tracker.open_url("tracker:///pi", host, allow_rpc=True).url == "tracker://127.0.0.1:9190/pi"
    assert capsys.readouterr().err == ""
    rpc.open_url("rpc://pi:9091", host, allow_rpc=True)
    said = capsys.readouterr().err
    assert "can run any code" in said and "ssh -L 9091:localhost:9091 pi" in said


def test_a_tracker_needs_a_key(host: Target) -> None:
    with pytest.raises(UserError, match="which boards"):
        tracker.open_url("tracker://127.0.0.1", host, allow_rpc=True)


@pytest.mark.parametrize(
    ("name", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("Localhost", True), ("pi", False), ("10.0.0.1", False)],
)
def test_what_is_loopback(name: str, loopback: bool) -> None:
    assert rpc.is_loopback(name) == loopback


@dataclass
class Ports:
    """Boards on the ports that are said, the last again and again."""

    ports: list[int]
    boards: int = 1

    def count(self) -> int:
        return self.boards

    def take(self, stop: threading.Event) -> Place:
        return Place("127.0.0.1", self.ports.pop(0) if len(self.ports) > 1 else self.ports[0], "")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    (tmp_path / "log").write_text("")
    return tmp_path / "log"


@pytest.fixture
def device(patience: Patience, log: Path) -> Callable[..., RpcDevice]:
    def make(*ports: int, boards: int = 1) -> RpcDevice:
        return RpcDevice(
            read_address("rpc://127.0.0.1"), Ports(list(ports), boards), patience, lambda: ClientProcess(FAKE)
        )

    return make


def batch(*numbers: int) -> Batch:
    return Batch(b"library", numbers, limit=0.25)


def test_measures_one_by_one_and_disconnects(device: Callable[..., RpcDevice], log: Path) -> None:
    with device(9) as board:
        assert board.machine() == Machine("Fake", 4)
        found = board.measure(batch(1, 2))
    assert [(result.cost, result.conditions["board"]) for result in found] == [(1, "127.0.0.1:9"), (2, "127.0.0.1:9")]
    said = log.read_text().splitlines()
    assert [line.split()[0] for line in said] == [
        "connect", "disconnect", "connect", "load", "measure", "measure", "disconnect", "disconnect",
    ]  # fmt: skip
    assert said[4:6] == ["measure 0.25 3 1", "measure 0.25 3 2"]
    assert not Path(said[3].split()[1]).exists()


def test_the_next_board_goes_on_where_one_was_lost(
    device: Callable[..., RpcDevice], log: Path, warnings: Warnings
) -> None:
    with device(9, 9, 1, 7) as board:
        found = board.measure(batch(1, 2002, 3))
    assert [result.status for result in found] == [Status.OK, Status.CRASHED, Status.OK]
    assert [result.conditions.get("board") for result in found] == ["127.0.0.1:9", None, "127.0.0.1:7"]
    assert log.read_text().count("measure 0.25 3 1\n") == 1
    assert "127.0.0.1:1 cannot be reached (connection refused)" in warnings.text


@pytest.mark.parametrize("number", [2001, 2003])
def test_a_client_that_dies_or_talks_nonsense_costs_one_candidate(
    device: Callable[..., RpcDevice], number: int
) -> None:
    with device(9) as board:
        found = board.measure(batch(1, number))
        assert found[0].valid and found[1].status in (Status.LOST, Status.CRASHED)
        assert board.measure(batch(5))[0].valid


def test_a_board_that_falls_silent_is_given_up_in_time(
    device: Callable[..., RpcDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "SLACK", 0.2)
    with device(9) as board:
        start = time.monotonic()
        found = board.measure(batch(1, 2000))
        assert time.monotonic() - start < 30
    assert [result.status for result in found] == [Status.OK, Status.LOST]


def test_a_client_that_lacks_a_package_says_what_to_install(patience: Patience) -> None:
    lacking = (sys.executable, "-c", "import no_such_package_at_all")
    board = RpcDevice(read_address("rpc://"), Ports([9]), patience, lambda: ClientProcess(lacking))
    with pytest.raises(DeviceError, match=r"pip install -e '\.\[tune\]'"), board:
        pass


def test_a_busy_board_is_an_error_in_time(device: Callable[..., RpcDevice], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "CONNECT_SECONDS", 0.3)
    with pytest.raises(DeviceError, match="does another session use it"), device(2):
        pass


def test_a_library_that_cannot_be_loaded_is_not_sent_again(
    device: Callable[..., RpcDevice], log: Path, warnings: Warnings
) -> None:
    with device(3) as board:
        found = board.measure(batch(1, 2))
    assert [result.status for result in found] == [Status.LOST] * 2
    assert "--target" in found[0].detail and "--libc" in found[0].detail
    assert log.read_text().count("load") == 1


def test_a_board_that_goes_away_while_it_gets_the_candidates_is_replaced(
    device: Callable[..., RpcDevice], warnings: Warnings
) -> None:
    with device(9, 4, 7) as board:
        found = board.measure(batch(1, 2))
    assert [(result.status, result.conditions["board"]) for result in found] == [(Status.OK, "127.0.0.1:7")] * 2
    assert "127.0.0.1:4 went away while the candidates were sent (connection reset); trying again" in warnings.text


def test_leaving_lets_the_candidate_end_and_drops_the_rest(device: Callable[..., RpcDevice], log: Path) -> None:
    with device(9, boards=2) as board:
        assert board.lanes == 2
        thread, results = in_thread(lambda: board.measure(batch(*range(1, 1900))))
        assert soon(lambda: "measure" in log.read_text())
    thread.join(10)
    assert not thread.is_alive()
    statuses = [result.status for result in results[0]]  # type: ignore[attr-defined]
    assert statuses[0] == Status.OK and statuses[-1] == Status.LOST
    assert log.read_text().endswith("disconnect\n")


@dataclass
class FakeTracker:
    """Answers as TVM's tracker does, for ``boards``: key by port. A board is free once per entry of ``free``."""

    boards: dict[int, str] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            stream.write(stream.read(4))
            stream.flush()
            request = json.loads(stream.read(struct.unpack("<i", stream.read(4))[0]))
            if request[0] == tracker.SUMMARY:
                servers = [{"key": f"server:{key}", "addr": ["127.0.0.1", port]} for port, key in self.boards.items()]
                value: object = {"server_info": servers}
            else:
                while not self.free:
                    time.sleep(0.02)
                value = ["127.0.0.1", self.free.pop(0), f"{request[1]}:0.5"]
            content = json.dumps([tracker.SUCCESS, value]).encode()
            stream.write(struct.pack("<i", len(content)) + content)


@pytest.fixture
def fake() -> Iterator[FakeTracker]:
    server = FakeTracker()
    threading.Thread(target=server.serve, daemon=True).start()
    yield server
    server.listener.close()


def test_a_tracker_hands_out_its_boards(fake: FakeTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "LOOK_SECONDS", 0.05)
    fake.boards = {7: "pi", 8: "pi", 9: "phone"}
    boards = Tracker("127.0.0.1", fake.port, "pi")
    assert boards.count() == 2
    thread, places = in_thread(lambda: boards.take(threading.Event()))
    time.sleep(0.2)
    assert thread.is_alive()  # all are in use
    fake.free = [8]
    thread.join()
    assert places == [Place("127.0.0.1", 8, "pi:0.5")]


def test_waiting_ends_where_there_is_nothing_to_wait_for(fake: FakeTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "LOOK_SECONDS", 0.05)
    boards = Tracker("127.0.0.1", fake.port, "pi")
    with pytest.raises(UnreachableError, match='no board with the key "pi"'):
        boards.take(threading.Event())
    fake.boards = {9: "phone"}
    with pytest.raises(UnreachableError, match="it knows phone"):
        boards.count()
    fake.boards = {9: "pi"}
    stop = threading.Event()
    stop.set()
    with pytest.raises(UnreachableError, match="over"):
        boards.take(stop)
    monkeypatch.setattr(tracker, "WAIT_SECONDS", 0.1)
    with pytest.raises(UnreachableError, match="no free board"):
        boards.take(threading.Event())


def test_a_tracker_that_is_off_is_an_error(fake: FakeTracker) -> None:
    fake.listener.close()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        Tracker("127.0.0.1", 1, "pi").count()


def test_the_protocol_is_that_of_the_installed_tvm() -> None:
    spec = importlib.util.find_spec("tvm")
    assert spec is not None and spec.origin is not None
    tree = ast.parse((Path(spec.origin).parent / "rpc" / "base.py").read_text())
    said = {
        target.id: ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.UnaryOp)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = {name: said[name] for name in ("RPC_TRACKER_MAGIC", "SUCCESS", "REQUEST", "SUMMARY")}
    assert list(found.values()) == [tracker.MAGIC, tracker.SUCCESS, tracker.REQUEST, tracker.SUMMARY]


def test_one_place_is_always_the_same() -> None:
    place = Place("127.0.0.1", 9090, "")
    assert OnePlace(place).count() == 1
    assert OnePlace(place).take(threading.Event()) is place


def test_the_client_imports_nothing_heavy_until_it_is_a_process() -> None:
    assert rpc_client.FUNCTION == "mnv2c_measure"
    tree = ast.parse(Path(rpc_client.__file__).read_text())
    assert not [node for node in tree.body if isinstance(node, ast.Import) and node.names[0].name.startswith("tvm")]
