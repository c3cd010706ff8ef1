"""``mnv2c tune`` on the command line, with the session replaced by a made-up result."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnv2c import api
from mnv2c.cli.main import main
from mnv2c.tune.session.result import Tuned
from mnv2c.tune.session.standing import ChainStanding

CHAINS = (
    ChainStanding("stem", 1, 8, 20e-6, 19e-6, 16e-6, 0.8, 0.5, "tuned"),
    ChainStanding("bottleneck_08", 3, 8, 10e-6, 11e-6, 10e-6, 1.0, None, "default"),
)
RESULT = Tuned(
    name="net", summary="a net", target="host", device="local", cpu="a CPU", threads=1, unit="s", trials=16, known=4,
    weighed=6, seconds=90.0, cost=46e-6, default_cost=50e-6, peak_share=0.55, recut=False, chains=CHAINS,
    notes=("stem: 1 crashed", "stem: 1 crashed"), file=Path("/r/x86-64-v4.jsonl"),
)  # fmt: skip


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments that the API was called with; ``result`` is what it returns."""
    found: dict[str, Any] = {"result": RESULT}

    def tune(model: str, target: str, **options: Any) -> Tuned:
        result = found.pop("result")
        found.update(options, model=model, target=target)
        assert isinstance(result, Tuned)
        return result

    monkeypatch.setitem(api.__dict__, "tune_model", tune)
    return found


def test_every_option_is_passed_on(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "tune net.onnx --target cortex-a76 --width 0.5 --resolution 96x160 --classes 10 --device ssh://u@h --trials 30 "
        "--minutes 5 --threads 2 --schedules d --resume --seed 3 --allow-rpc --input-shape 1,2 --json"
    )
    assert main(words.split()) == 0
    assert seen == {
        "model": "net.onnx", "target": "cortex-a76", "width": 0.5, "resolution": "96x160", "classes": 10,
        "device": "ssh://u@h", "trials": 30, "minutes": 5.0, "threads": 2, "schedules": "d", "resume": True, "seed": 3,
        "allow_rpc": True, "show": False, "input_shape": ["1,2"],
    }  # fmt: skip
    figures = json.loads(capsys.readouterr().out)
    assert figures["ratio"] == pytest.approx(0.92)
    assert figures["mean_ratio"] == pytest.approx(0.8**0.25)
    assert figures["chains"][0]["label"] == "stem"


def test_without_options_it_tunes_this_machine(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "mobilenet_v2"]) == 0
    assert (seen["target"], seen["device"], seen["threads"], seen["show"]) == ("host", None, 1, True)
    assert not any(seen[name] for name in ("trials", "minutes", "schedules", "resume", "seed", "allow_rpc"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["stem", "1", "8", "20.0", "us", "16.0", "us", "0.800", "50%", "tuned"]
    assert lines[2].split() == ["bottleneck_08", "3", "8", "10.0", "us", "10.0", "us", "1.000", "-", "default"]
    assert lines[3:] == [
        "stem: 1 crashed",
        "net for host on a CPU (local), 1 thread(s): 16 trials and 4 of earlier runs, 1.5 minutes",
        "all chains together: 50.0 us by default, 46.0 us tuned (0.920), 55% of peak",
        "records: /r/x86-64-v4.jsonl; `mnv2c compile` uses them from now on",
    ]


def test_an_interrupted_session_says_how_to_go_on(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    seen["result"] = replace(RESULT, ended="interrupted", interrupted=True, cost=None)
    assert main(["tune", "net"]) == 130
    out = capsys.readouterr().out
    assert "not finished: interrupted; nothing is lost: the same command with --resume goes on" in out
    assert "all chains together" not in out


def test_sigterm_ends_a_session_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tune(*given: Any, **options: Any) -> Tuned:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        return replace(RESULT, ended="interrupted", interrupted=True)

    monkeypatch.setitem(api.__dict__, "tune_model", tune)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["tune", "net"]) == 130
    assert "--resume goes on" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_device_that_went_away_is_a_failure(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    seen["result"] = replace(RESULT, ended="the board is unreachable")
    assert main(["tune", "net"]) == 1
    assert "the board is unreachable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--device locl", '--device "locl": unknown (did you mean "local"?)'),
        ("--device ssh://", "which host?"),
        ("--device rpc://127.0.0.1:9", "say --allow-rpc"),
        ("--schedules none", "records need a folder"),
        ("--target cortex-a55+cortex-a76", "one CPU at a time"),
        ("--target cortexa7", 'did you mean "cortex-a7"?'),
        ("--threads 99", "give 1 to 16"),
    ],
)
def test_mistakes_are_found_before_a_plan_is_made(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNV2C_SCHEDULES", "/nowhere")
    monkeypatch.setattr("mnv2c.tune.session.tasks.read", lambda *given, **options: pytest.fail("planned"))
    assert main(["tune", "mobilenet_v2", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_numbers_that_make_no_sense_cost_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "mobilenet_v2", "--trials", "0"]) == 2
    assert capsys.readouterr().err == "mnv2c: error: trials 0: give a number of at least 1\n"
    for minutes in ("-1", "0", "nan", "inf"):
        assert main(["tune", "mobilenet_v2", "--minutes", minutes]) == 2
        assert "give a number above 0" in capsys.readouterr().err
