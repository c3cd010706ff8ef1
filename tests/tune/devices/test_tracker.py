"""Two of TVM's RPC servers behind its tracker, on loopback: both measure, one is killed meanwhile, nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnv2c.targets import load
from mnv2c.tune.devices.base import Batch, Form
from mnv2c.tune.devices.tracker import open_url
from mnv2c.tune.space.task import Measured, Status
from tests.tune import handmade
from tests.tune.devices.conftest import soon
from tests.tune.devices.rpc_boards import Boards, emulated, native, running_boards

REAL = {"equal": Status.OK, "wrong": Status.WRONG, "crash": Status.CRASHED, "hang": Status.HUNG}
"""Candidates for the measuring program itself, and what it finds; the others go to a stand-in that takes its time."""


@pytest.fixture
def boards(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Boards]:
    with running_boards(request.param, tmp_path) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    "boards", [native, pytest.param(emulated, marks=pytest.mark.emulated)], ids=["native", "aarch64"], indirect=True
)
def test_both_measure_and_one_is_killed(boards: Boards, capsys: pytest.CaptureFixture[str]) -> None:
    batches = [Batch(boards.library, tuple(range(first, first + 4)), 5.0) for first in range(1500, 1540, 4)]
    results: list[Measured] = []
    killed = False
    with open_url(boards.url, load(boards.target), allow_rpc=True) as device:
        assert (device.form, device.unit, device.lanes) == (Form.SHARED, "s", 2)
        bad = device.measure(handmade.batch(list(REAL), boards.target, form=Form.SHARED, limit=3.0))
        assert [result.status for result in bad] == list(REAL.values())
        with ThreadPoolExecutor(device.lanes) as pool:  # as a session does
            for found in pool.map(device.measure, batches):
                results += found
                if not killed and len(used(results)) == 2:
                    before = boards.servers[0].loaded()
                    assert soon(lambda before=before: boards.servers[0].loaded() > before, 60)  # type: ignore[misc]
                    time.sleep(0.7)  # in the middle of a batch, which takes 2 s
                    boards.servers[0].kill()
                    killed = True
    assert killed
    assert [result.cost for result in results] == [number for batch in batches for number in batch.numbers]
    assert all(result.valid and result.device == boards.url for result in results)
    assert used(results) == {f"127.0.0.1:{server.port}" for server in boards.servers}
    assert used(results[-4:]) == {f"127.0.0.1:{boards.servers[1].port}"}
    assert "trying again" in capsys.readouterr().err


def used(results: list[Measured]) -> set[object]:
    """The boards that results come from."""
    return {result.conditions["board"] for result in results}
