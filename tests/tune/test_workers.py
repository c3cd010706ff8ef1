"""The pool of compiling processes: what dies or hangs costs its own candidate only."""

from __future__ import annotations

import sys
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from mnv2c.errors import CompilerError
from mnv2c.tune.measure.workers import Workers

FAKE = Path(__file__).with_name("fake_worker.py")


def workers(count: int = 2, limit: float = 30.0) -> Workers:
    return Workers(count, limit=limit, patience=1, command=(sys.executable, str(FAKE), f"{limit:g}"))


def test_answers_come_in_the_order_of_the_requests() -> None:
    with workers() as pool:
        pool.start()
        assert pool.build([("slow", 0.3), ("say", "b"), ("say", "c")]) == ["slow", "b", "c"]


def test_a_process_that_dies_costs_its_candidate() -> None:
    with workers() as pool:
        first, second, third = pool.build([("say", "a"), ("die",), ("say", "c")])
        assert (first, third) == ("a", "c") and "died: SIGKILL" in str(second)
        assert pool.build([("say", str(index)) for index in range(4)]) == ["0", "1", "2", "3"]


def test_a_process_that_hangs_is_ended_in_time() -> None:
    with workers(1, limit=0.5) as pool:
        pool.build([("say", "ready")])
        start = time.monotonic()
        assert pool.build([("slow", 60.0), ("say", "b")]) == ["not compiled within 0.5 s", "b"]
        assert time.monotonic() - start < 20


def test_a_process_that_computes_for_too_long_is_ended_by_the_system() -> None:
    with Workers(1, limit=1.0, patience=200, command=(sys.executable, str(FAKE), "1")) as pool:
        assert pool.build([("busy",), ("say", "b")]) == ["not compiled within 1 s of processor time", "b"]


def test_processes_stay_from_batch_to_batch() -> None:
    with workers(1) as pool:
        assert pool.build([("process",)]) == pool.build([("process",)])


def test_what_waits_is_not_compiled_once_the_pool_is_closed() -> None:
    """As after Ctrl-C, which leaves the thread that builds where it is."""
    with workers(1) as pool, ThreadPoolExecutor(1) as builder:
        assert pool.build([("say", "ready")]) == ["ready"]
        waiting = builder.submit(pool.build, [("slow", 1.0)] * 60)
        time.sleep(0.3)
        start = time.monotonic()
        pool.close()
        assert time.monotonic() - start < 30, "one of them, not all"
        with pytest.raises(CancelledError):
            waiting.result()


def test_what_cannot_be_started_is_said() -> None:
    with Workers(1, command=("/nowhere/python",)) as pool, pytest.raises(CompilerError, match="cannot be started"):
        pool.build([("say", "a")])
