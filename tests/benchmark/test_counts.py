"""Counting under qemu."""

import json
import os
import platform
import shutil
from pathlib import Path

import pytest

import mnv2c
from mnv2c.benchmark import Emulated, plugin
from mnv2c.benchmark.counts import Counts, count
from mnv2c.cli.main import main
from mnv2c.compiler import Compiled
from mnv2c.errors import LibraryError
from mnv2c.runtime.metadata import read
from tests.runtime import fake

pytestmark = pytest.mark.emulated
needs_plugins = pytest.mark.skipif(
    not shutil.which("qemu-aarch64"), reason="qemu-aarch64, dynamically linked, is missing: apt-get install qemu-user"
)
KEYS = ("instructions", "loads", "stores", "l1_misses", "l2_misses")


@needs_plugins
def test_counts_repeat_exactly_and_are_sane(network: Path, tmp_path: Path) -> None:
    first = mnv2c.bench(network, device="emulator", steps=True)
    moved = shutil.copytree(network, tmp_path / "another-folder-with-a-longer-name")
    os.environ["MNV2C_TEST_NOTHING"] = "x" * 1000
    try:
        second = mnv2c.bench(moved, device="emulator", steps=True)
    finally:
        del os.environ["MNV2C_TEST_NOTHING"]
    assert isinstance(first, Emulated) and isinstance(second, Emulated)
    assert first.counted == second.counted
    meta = read(network).metadata
    whole = first.counted.whole
    assert meta["madds"] / 4 < whole.instructions < 4 * meta["madds"]  # four lanes, and everything around them
    assert whole.loads + whole.stores < 4 * whole.instructions
    assert meta["weights_bytes"] / 64 * 0.9 < whole.l2_misses <= whole.l1_misses < whole.loads + whole.stores


@needs_plugins
def test_steps_add_up(network: Path) -> None:
    counted = mnv2c.bench(network, device="emulator", steps=True).counted
    assert [name for name, _ in counted.steps] == [step.name for step in read(network).steps]
    for key in KEYS:
        total, whole = sum(getattr(counts, key) for _, counts in counted.steps), getattr(counted.whole, key)
        assert total == pytest.approx(whole, rel=0.02, abs=100), key


@needs_plugins
def test_a_known_loop_has_known_counts(tmp_path: Path) -> None:
    description = read(fake.build(tmp_path, "cortex-a53"))
    counts = count(description, [fake.random_input()]).whole
    assert 100 < counts.instructions < 10_000  # a few loops over 60 values
    assert counts.l2_misses == counts.l1_misses == 0  # everything fits, and the first run has loaded it


@needs_plugins
def test_json_and_text(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(network), "--device", "emulator", "--steps"]
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() >= {*KEYS, "where", "cache_model", "steps", "machine"}
    assert "median_ms" not in figures
    assert all(step.keys() == {"step", *KEYS} for step in figures["steps"])
    assert figures["cache_model"] == "L1D 64 KB 4-way, L2 512 KB 8-way, 64-byte lines, LRU, no prefetch"
    assert main([*words, "-q"]) == 0
    text = capsys.readouterr().out
    assert "emulated, not timed: qemu-aarch64" in text
    assert f"{figures['instructions']:,}" in text


@needs_plugins
def test_the_plugin_is_built_once() -> None:
    qemu = plugin.find_qemu("aarch64")
    path = plugin.build(qemu)
    before = path.stat().st_mtime_ns
    assert plugin.build(qemu) == path
    assert path.stat().st_mtime_ns == before


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-x86_64 is missing: apt-get install qemu-user")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the fixture is compiled for this machine")
def test_a_library_for_this_machine_can_be_counted_too(compiled: Compiled) -> None:
    try:
        counted = mnv2c.bench(compiled.directory, device="emulator").counted
    except LibraryError as error:
        if "status 2" not in str(error):
            raise
        pytest.skip("this qemu does not emulate AVX2 (it came with 7.2)")
    assert compiled.metadata["madds"] / 16 < counted.whole.instructions < 4 * compiled.metadata["madds"]


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_static_qemu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "qemu-aarch64-static", "echo 'usage: qemu-aarch64 [options] program'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    with pytest.raises(LibraryError, match=r"cannot load plugins.*apt-get install qemu-user, not qemu-user-static"):
        plugin.find_qemu("aarch64")
    program(tmp_path, "qemu-aarch64", "echo '-plugin QEMU_PLUGIN'")
    assert plugin.find_qemu("aarch64") == str(tmp_path / "qemu-aarch64")


def test_no_qemu_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LibraryError, match=r"qemu-aarch64: missing.*apt-get install qemu-user"):
        plugin.find_qemu("aarch64")


@pytest.mark.parametrize(("version", "number"), [("7.2.22 (Debian)", 1), ("8.2.2", 1), ("9.0.0", 2), ("10.1.0", 2)])
def test_the_interface_follows_the_version(version: str, number: int, tmp_path: Path) -> None:
    program(tmp_path, "qemu", f"echo 'qemu-aarch64 version {version}'")
    assert plugin.interface(str(tmp_path / "qemu")) == number


def test_counts_are_plain_data() -> None:
    assert tuple(Counts(1, 2, 3, 4, 5).as_dict()) == KEYS
