"""mnv2c bench on the smallest network: what it reports, and what it says about mistakes and missing peers."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import mnv2c
from mnv2c.benchmark import Timed, agreement, peers
from mnv2c.benchmark.contestant import PEERS_PYTHON, Contestant, once
from mnv2c.benchmark.job import UnavailableError
from mnv2c.cli.main import main
from mnv2c.compiler import Compiled
from mnv2c.errors import LibraryError, UserError
from tests.runtime import fake

TIMES = {"median_ms", "min_ms", "p90_ms"}


@pytest.fixture(scope="module")
def result(compiled: Compiled) -> Timed:
    found = mnv2c.bench(compiled.directory, rounds=2, runs=3, against=["onnxruntime"])
    assert isinstance(found, Timed)
    return found


def test_the_figures_fit_each_other(result: Timed, compiled: Compiled) -> None:
    figures = result.as_dict()
    assert 0 < figures["min_ms"] <= figures["median_ms"] <= figures["p90_ms"]
    assert (figures["rounds"], figures["runs"], figures["threads"]) == (2, 3, 1)
    assert figures["madds"] == compiled.metadata["madds"]
    assert figures["name"] == compiled.name
    assert figures["peak_gmacs"] > 0
    assert 0 < figures["peak_share"] < 1
    assert figures["spread"] >= 0
    assert figures["missing"] == {}
    json.dumps(figures, allow_nan=False)


def test_a_peer_runs_the_same_network(result: Timed) -> None:
    (peer,) = result.peers.values()
    assert peer.difference < 1e-5
    assert peer.ratio > 0
    assert peer.version.startswith("onnxruntime ")
    assert peer.as_dict().keys() >= TIMES | {"ratio"}


def test_the_report_names_the_machine(result: Timed) -> None:
    assert result.machine.cpu
    assert result.machine.cores >= 1
    assert result.machine.versions["mnv2c"] == mnv2c.__version__


def test_json_and_text(compiled: Compiled, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(compiled.directory), "--rounds", "1", "--runs", "3"]
    assert main([*words, "--json", "--against", "onnxruntime"]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert captured.err == ""
    assert figures.keys() >= TIMES | {"peak_share", "peers", "missing", "machine", "threads"}
    assert figures["peers"]["onnxruntime"].keys() >= {"median_ms", "ratio"}
    assert main([*words, "-q"]) == 0
    text = capsys.readouterr().out
    assert "this library" in text
    assert "of the peak" in text
    assert "1 interleaved rounds of 3 runs" in text


def test_missing_peers_are_named_with_their_remedy(
    compiled: Compiled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PEERS_PYTHON, "no/such/python")
    absent = [name for name in ("ncnn", "mnn", "openvino") if find_spec(peers.PEERS[name].modules[0]) is None]
    words = [
        "bench",
        str(compiled.directory),
        "--rounds",
        "1",
        "--runs",
        "3",
        "--against",
        ",".join(["litert", *absent]),
    ]
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["peers"] == {}
    assert figures["missing"].keys() == {"litert", *absent}
    assert "no/such/python" in figures["missing"]["litert"]
    for name in absent:
        assert "not installed" in figures["missing"][name]
        assert peers.PEERS[name].install in figures["missing"][name]


def test_a_peer_that_computes_something_else_does_not_count(tmp_path: Path) -> None:
    np.save(tmp_path / "ours.npy", np.array([[1.0, 2.0]], np.float32))
    np.save(tmp_path / "same.npy", np.array([1.0, 2.0005], np.float32))
    np.save(tmp_path / "other.npy", np.array([1.0, 2.1], np.float32))
    np.save(tmp_path / "short.npy", np.array([1.0], np.float32))
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan], np.float32))
    assert agreement.difference(tmp_path, "same") == pytest.approx(2.5e-4, rel=1e-2)
    for name, message in (("other", "something else"), ("nan", "something else"), ("short", "returns 1 values")):
        with pytest.raises(UnavailableError, match=message):
            agreement.difference(tmp_path, name)


def test_a_process_that_dies_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"job\.json"):
        Contestant("ours", tmp_path)
    with pytest.raises(UnavailableError, match="its process ended with 1"):
        Contestant("ours", tmp_path, "/bin/false")
    with pytest.raises(UnavailableError, match="its process ended with 1: no message"):
        once("convert", "ncnn", tmp_path, command=("/bin/false",))
    with pytest.raises(UnavailableError, match="cannot be started"):
        once("convert", "ncnn", tmp_path, command=("/no/such/python",))
    with pytest.raises(UnavailableError, match=r"did not finish within 0\.2 seconds"):
        once("convert", "ncnn", tmp_path, command=("/bin/sh", "-c", "exec sleep 9"), timeout=0.2)
    with pytest.raises(UnavailableError, match=r"job\.json"):
        once("convert", "ncnn", tmp_path)


def test_our_own_failure_is_an_error(tmp_path: Path) -> None:
    folder = fake.build(tmp_path)
    (folder / "libfake.so.2").unlink()
    with pytest.raises(LibraryError, match=r"libfake\.so\.2: missing"):
        mnv2c.bench(folder, rounds=1, runs=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"against": "onnxruntime,nccn"}, r'unknown peer "nccn" \(did you mean "ncnn"\?\); peers: onnxruntime, litert'),
        ({"device": "emulater"}, r'--device "emulater": unknown.*did you mean "emulator"'),
        ({"device": "emulator", "against": ["nccn"]}, 'unknown peer "nccn"'),
        ({"steps": True}, "need --device emulator"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"runs": 0}, "--runs is 0"),
        ({"threads": 0}, "--threads is 0"),
    ],
)
def test_mistakes(options: dict[str, object], message: str, compiled: Compiled) -> None:
    with pytest.raises(UserError, match=message):
        mnv2c.bench(compiled.directory, **options)


def test_more_threads_than_compiled_for(compiled: Compiled) -> None:
    with pytest.raises(LibraryError, match="compiled for at most 1 thread"):
        mnv2c.bench(compiled.directory, threads=2, rounds=1, runs=3)


def test_a_foreign_library_is_not_timed(tmp_path: Path) -> None:
    import platform

    foreign = "cortex-a53" if platform.machine() == "x86_64" else "x86-64-v3"
    with pytest.raises(LibraryError, match="--device emulator"):
        mnv2c.bench(fake.build(tmp_path, foreign))
