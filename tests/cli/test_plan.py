"""``mnv2c plan`` on the command line, with the planner replaced by a made-up plan."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mnv2c import api
from mnv2c.cli.main import main
from tests.report.plans import NAMES, plan_figures


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments that the API was called with."""
    found: dict[str, Any] = {}

    def plan_model(model: str, target: str, **options: Any) -> SimpleNamespace:
        options.pop("progress")("plans", 0.4)
        found.update(options, model=model, target=target)
        return SimpleNamespace(as_dict=plan_figures)

    monkeypatch.setitem(api.__dict__, "plan_model", plan_model)
    return found


def test_every_option_is_passed_on(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "plan net.onnx --target cortex-a76 --width 0.5 --resolution 96x160 --classes 10 --arena-limit 125000 "
        "--threads 2 --schedules own --html p.html --input-shape 1,2 --json"
    )
    assert main(words.split()) == 0
    assert seen == {
        "model": "net.onnx", "target": "cortex-a76", "width": 0.5, "resolution": "96x160", "classes": 10,
        "arena_limit": 125_000, "threads": 2, "html": "p.html", "schedules": "own",
        "input_shape": ["1,2"],
    }  # fmt: skip
    assert json.loads(capsys.readouterr().out) == plan_figures()


def test_without_options_the_plan_is_that_of_compile(seen: dict[str, Any]) -> None:
    assert main(["plan", "mobilenet_v2", "-q"]) == 0
    assert (seen["target"], seen["threads"], seen["arena_limit"], seen["html"]) == ("host", 1, None, None)


def test_the_table_has_a_line_per_chain(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "mobilenet_v2", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == list(NAMES)
    assert lines[1].split() == (
        f"{NAMES[0]} 3 1 3x 8 2x sums, nothing 2.50 0.250 25.0% 40.0 kB 90.0 kB".split()
    )  # fmt: skip
    assert lines[2].split() == f"{NAMES[1]} - - - - - - - 40.0 kB 90.0 kB".split()
    assert lines[4].split()[1:6] == ["-", "all", "320", "image", "2.50"]
    assert "arena 120.0 kB (120,000 bytes)" in lines[5]
    assert lines[-2:] == [
        "  equation (1) and (2), every bottleneck one operation: 250.0 kB, at block_2",
        "  equation (1) and (2), every layer one operation: 900.0 kB, at block_2.expand",
    ]


def test_what_records_decided_is_said(
    seen: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = plan_figures()
    figures["chains"][2]["tuned"] = {"source": "own", "ratio": 0.9}
    plan = SimpleNamespace(as_dict=lambda: figures)
    monkeypatch.setitem(api.__dict__, "plan_model", lambda *words, **options: plan)
    assert main(["plan", "mobilenet_v2", "-q"]) == 0
    assert f"times what was measured: {NAMES[2]}\n" in capsys.readouterr().out


def test_pareto_shows_the_frontier_as_table_and_drawing(
    seen: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("plan mobilenet_v2 -q --pareto --html p.html".split()) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["100,000", "1.500", "3"],
        ["*", "120,000", "1.100"],
        ["200,000", "1.000", "6"],
    ]
    assert api.draw_frontier(plan_figures()) in out
    assert "with --arena-limit 125000" in out
    assert lines[-1] == "the page: p.html"


def test_a_limit_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("plan m --arena-limit much".split()) == 2
    assert "--arena-limit" in capsys.readouterr().err
