"""Counting peers under emulation: the result, the peers that cannot take part, and, marked slow, real ones."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnv2c
from mnv2c.benchmark import Emulated, arm, emulated
from mnv2c.benchmark.counts import Counted, Counts, Simulator
from mnv2c.benchmark.job import UnavailableError
from mnv2c.benchmark.peers import PEERS
from mnv2c.cli.main import main
from mnv2c.runtime.metadata import read
from tests.benchmark.test_arm import prepared
from tests.runtime import fake

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        not shutil.which("qemu-aarch64"),
        reason="qemu-aarch64, dynamically linked, is missing: apt-get install qemu-user",
    ),
]
KEYS = {"instructions", "loads", "stores", "l1_misses", "l2_misses"}
EMULATED = [name for name, peer in PEERS.items() if peer.emulated]


class Fakes:
    """In place of the processes: each peer counts the same; mnn dies, and ncnn computes something else."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def once(self, task: str, name: str, folder: str | Path, *, cwd: Path | None = None, **_: object) -> dict[str, Any]:
        self.calls.append((task, name))
        if name == "mnn":
            raise UnavailableError("its process ended with -11: no message")
        if task == "convert":
            assert (Path(folder) / "model.onnx").is_file()
            return {}
        assert cwd is not None and (cwd / "count.so").is_file() and (cwd / arm.PYTHON).exists()
        assert not (cwd / "counts.txt").exists()  # of another peer
        np.save(cwd / f"{name}.npy", np.load(cwd / "ours.npy") * (2 if name == "ncnn" else 1))
        (cwd / "counts.txt").write_text("9 9 9 9 9\n8000000 70 60 50 40\n5 4 3 2 1\n")
        return {"version": f"{name} 1.2"}


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    found = Fakes()
    monkeypatch.setenv(arm.FOLDER, str(prepared(tmp_path / "arm")))
    monkeypatch.setattr(emulated, "once", found.once)
    return found


def test_json_and_text(network: Path, fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(network), "--device", "emulator", "--against", "onnxruntime,ncnn,mnn,openvino"]
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() >= KEYS | {"peers", "missing", "where", "cache_model"}
    assert figures["peers"].keys() == {"onnxruntime"}
    peer = figures["peers"]["onnxruntime"]
    assert peer.keys() == KEYS | {"ratio", "version", "difference", "marking"}
    assert [peer[key] for key in ("instructions", "l2_misses", "version")] == [8_000_000, 40, "onnxruntime 1.2"]
    assert peer["ratio"] == pytest.approx(figures["instructions"] / 8_000_000, abs=1e-4)
    assert peer["marking"].keys() == KEYS
    assert peer["marking"]["instructions"] == 5
    assert peer["difference"] == 0
    assert figures["missing"].keys() == {"ncnn", "mnn", "openvino"}
    assert "something else" in figures["missing"]["ncnn"]
    assert "ended with -11" in figures["missing"]["mnn"]
    assert "on this machine only" in figures["missing"]["openvino"]
    assert fakes.calls == [(task, name) for name in ("onnxruntime", "ncnn") for task in ("convert", "count")] + [
        ("convert", "mnn")
    ]
    assert main([*words, "-q"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"onnxruntime +0\.\d{3} +8,000,000 .*onnxruntime 1\.2", text)
    assert "this library" in text
    assert "mnn: not counted: its process ended with -11" in text
    assert "up to 5 instructions of a peer are Python's" in text


def test_without_peers_nothing_is_said_of_them(network: Path) -> None:
    figures = mnv2c.bench(network, device="emulator").as_dict()
    assert (figures["peers"], figures["missing"]) == ({}, {})


def test_where_nothing_is_prepared_every_peer_is_named(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(arm.FOLDER, str(tmp_path / "none"))
    found = mnv2c.bench(network, device="emulator", against=EMULATED)
    assert isinstance(found, Emulated)
    assert found.missing.keys() == {"onnxruntime", "litert", "ncnn", "mnn"}
    assert all("make arm-peers" in reason for reason in found.missing.values())


def test_peers_are_for_aarch64_only(tmp_path: Path, fakes: Fakes) -> None:
    description = read(fake.build(tmp_path, "x86-64-v3"))
    ours = Counted(Counts(1, 1, 1, 1, 1), (), Simulator("qemu-x86_64", "max", 4096, 8192))
    found, missing = emulated.count(description, [fake.random_input()], ["ncnn"], ours, lambda phase, share: None)
    assert found == {}
    assert missing == {"ncnn": "is emulated for aarch64 only, and the library was compiled for x86_64"}
    assert fakes.calls == []


@pytest.mark.slow
@pytest.mark.parametrize("name", EMULATED)
def test_a_real_peer(name: str, network: Path) -> None:
    try:
        arm.find()
    except UnavailableError as error:
        pytest.skip(str(error))
    found = mnv2c.bench(network, device="emulator", against=name)
    assert isinstance(found, Emulated)
    if "not installed" in found.missing.get(name, ""):
        pytest.skip(found.missing[name])
    assert found.missing == {}
    peer, madds = found.peers[name], found.madds
    assert peer.difference < 1e-5
    assert madds / 4 < peer.counts.instructions < 100 * madds  # four lanes, and everything around them
    assert 100 < peer.marking.instructions < 10_000
    assert peer.counts.l2_misses <= peer.counts.l1_misses < peer.counts.loads + peer.counts.stores
