"""Compiled detectors against onnxruntime, step by step: boxes and scores of every map, on this machine and emulated."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mnv2c.api import compile_model
from mnv2c.runtime import emulator
from mnv2c.spec import load, to_toml
from mnv2c.verification import tolerance
from mnv2c.verification.comparison import compare

MAPS = 6
TARGETS = {"host": [], "cortex-a76": [pytest.mark.emulated]}


@dataclass(frozen=True)
class Case:
    """One detector of the zoo; ``size`` is "height x width"."""

    model: str
    size: str
    padding: str
    width: float = 0.35
    classes: int = 5

    def __str__(self) -> str:
        return f"{self.model}-{self.width}-{self.size}-{self.padding}"


DEFAULT = [
    ("host", Case("ssdlite_mobilenet_v2", "97x131", "tf_same")),
    ("host", Case("ssd_mobilenet_v2", "64", "symmetric")),
    ("cortex-a76", Case("ssdlite_mobilenet_v2", "65x96", "symmetric")),
]
LARGE = [
    (target, Case("ssdlite_mobilenet_v2", size, padding, 1.0, 91))
    for target in TARGETS
    for size in ("320", "300", "257", "333x201")
    for padding in ("tf_same", "symmetric")
]
LARGE += [("host", Case("mb2_ssd_lite", "96x65", "symmetric"))]
LARGE += [("host", Case("ssd_mobilenet_v2", "300", "tf_same", 1.0, 81))]
LARGE += [(target, Case("mb2_ssd_lite", "300", "symmetric", 1.0, 21)) for target in TARGETS]


def parameters(cases: list[tuple[str, Case]]) -> list[Any]:
    return [pytest.param(target, case, marks=TARGETS[target], id=f"{target}-{case}") for target, case in cases]


def check(target: str, case: Case, folder: Path, **options: Any) -> None:
    spec = load(case.model, width=case.width, resolution=case.size, classes=case.classes)
    path = folder / "spec.toml"
    path.write_text(to_toml(replace(spec, padding=case.padding)), "utf-8")
    library = compile_model(path, target, output=folder / "out", name="net", **options).directory
    report = compare(library)
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4 == tolerance.FLOAT32
    meta = json.loads((library / "net.json").read_text())
    assert meta["fallbacks"] == []
    assert [item.tensor for item in report.comparisons if item.step == "whole run"] == ["boxes", "scores"]
    placed = [result for chain in meta["chains"] for result in chain["results"] if result["space"] == "output"]
    assert len(placed) == 2 * MAPS
    assert {result["onnx"] for result in placed} <= {item.tensor for item in report.comparisons}
    emulator.selftest(library)


@pytest.mark.parametrize(("target", "case"), parameters(DEFAULT))
def test_every_prediction_equals_the_reference(target: str, case: Case, tmp_path: Path) -> None:
    check(target, case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "case"), parameters(LARGE))
def test_every_prediction_of_a_large_image_equals_the_reference(target: str, case: Case, tmp_path: Path) -> None:
    check(target, case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"threads": 2}, {"join": False}, {"arena_limit": 700_000}], ids=str)
def test_however_the_work_is_cut(options: dict[str, Any], tmp_path: Path) -> None:
    check("host", Case("ssdlite_mobilenet_v2", "160x131", "tf_same"), tmp_path, **options)
