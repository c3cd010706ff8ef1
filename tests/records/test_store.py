"""Files of records under several writers, crashes, full disks and damage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnv2c.errors import OutputError
from mnv2c.records import store
from mnv2c.records.record import Record, to_line
from tests.records.samples import cuts, record

WRITER = """
import sys
from pathlib import Path
from mnv2c.records import store
from tests.records.samples import record
path, name, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
number = 0
while number < batches:
    store.append(path, [record(rows=number, device=name)] * 3)
    number += 1
"""


def writer(path: Path, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(batches)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def no_warning(text: str) -> None:
    raise AssertionError(text)


def test_batches_are_appended_and_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "cortex-a76.jsonl"
    batches: list[list[Record]] = [[record(rows=1), record(rows=2)], [], [cuts()]]
    for batch in batches:
        store.append(path, batch)
    assert store.read([path, tmp_path / "missing.jsonl"], no_warning) == [entry for batch in batches for entry in batch]


def test_two_processes_lose_and_mix_nothing(tmp_path: Path) -> None:
    path, batches = tmp_path / "r.jsonl", 100
    writers = [writer(path, name, batches) for name in ("a", "b")]
    assert [process.wait(60) for process in writers] == [0, 0]
    found = store.read([path], no_warning)
    for name in ("a", "b"):
        rows = [entry.choice.schedule.rows for entry in found if entry.device == name]  # type: ignore[union-attr]
        assert rows == [number for number in range(batches) for _ in range(3)]
    names = [entry.device for entry in found]
    assert all(len(set(names[at : at + 3])) == 1 for at in range(0, len(names), 3)), "batches stay whole"


def test_a_writer_that_is_killed_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    process = writer(path, "killed", 1_000_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while not path.exists() or path.stat().st_size < 20_000:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    warnings: list[str] = []
    before = store.read([path], warnings.append)
    assert len(warnings) <= 1
    rows = [entry.choice.schedule.rows for entry in before]  # type: ignore[union-attr]
    assert rows == [number // 3 for number in range(len(rows))]
    store.append(path, [record(rows=5, device="after")])
    assert store.read([path], warnings.append)[-1].device == "after"


def test_a_half_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, [record(rows=1)])
    with path.open("a", encoding="utf-8") as file:
        file.write(to_line(record(rows=2))[:100])
    store.append(path, [record(rows=3)])
    warnings: list[str] = []
    assert store.read([path], warnings.append) == [record(rows=1), record(rows=3)]
    assert warnings == [f"{path}:2: not a record of this version of mnv2c, skipped"]


def test_foreign_lines_are_skipped_with_one_warning_per_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\xff\xfe{\n" + to_line(cuts()).encode() + b"\n\n{}\nnull\n")
    warnings: list[str] = []
    assert store.read([path], warnings.append) == [cuts()]
    assert warnings == [f"{path}:1: not a record of this version of mnv2c, skipped (and 2 more lines)"]


@pytest.mark.parametrize("name", ["best.json", "best.jsonl"])
def test_a_replaced_file_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    entries: list[Record] = [record(rows=1), record(rows=2), cuts()]
    store.replace(path, entries)
    assert store.read([path], no_warning) == entries
    assert [file.name for file in tmp_path.iterdir()] == [name]
    if name.endswith(".json"):
        assert len(json.loads(path.read_text())) == 3
    store.replace(path, [])
    assert store.read([path], no_warning) == []


def test_who_waited_for_a_file_that_was_replaced_writes_to_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, [record(rows=number) for number in range(4)])
    with store.locked(path):
        process = writer(path, "late", 1)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        store.replace(path, [record(rows=3)])
    assert process.wait(30) == 0
    process.stdout.close()
    assert [entry.device for entry in store.read([path], no_warning)] == ["local", "late", "late", "late"]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, [record(rows=1)])
    before = path.read_bytes()
    true_write = os.write

    def write(file: int, text: bytes) -> int:
        if len(text) < 500:
            raise OSError(28, "No space left on device")
        return true_write(file, text[:400])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OutputError, match="No space left on device; make room or give --schedules"):
        store.append(path, [record(rows=2)])
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="records cannot be written"):
        store.append(tmp_path / "file" / "r.jsonl", [record()])
