"""Compiled networks against onnxruntime, step by step: a pairwise subset by default, the full product with -m slow."""

import json
from pathlib import Path
from typing import Any

import pytest

from mnv2c.runtime import emulator
from mnv2c.verification import tolerance
from mnv2c.verification.comparison import compare
from tests.numerics import building
from tests.numerics.matrix import CHOICES, Case, everything, pairwise

SUBSET = pairwise()
CHEAPEST = [
    min((case for case in SUBSET if case.target == target), key=lambda case: case.effort)
    for target in CHOICES["target"]
]
"""One case per target, for which joins are also left out: then the result of every bottleneck is seen by itself."""


def parameters(cases: list[Case]) -> list[Any]:
    marks = {True: [pytest.mark.emulated], False: []}
    return [pytest.param(case, marks=marks[case.emulated], id=str(case)) for case in cases]


def check(case: Case, folder: Path, *, separate: bool) -> None:
    """Every result against the reference; with ``separate`` kernels that is every bottleneck's."""
    if not case.emulated and building.platform.machine() != "x86_64" and emulator.find_qemu("x86_64") is None:
        pytest.skip(f"neither an x86-64 machine nor qemu-x86_64: NOT run: {case}")
    library = building.build(case, folder, join=not separate)
    report = compare(library)
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4 == tolerance.FLOAT32
    meta = json.loads((library / "net.json").read_text())
    steps = [entry["name"] for entry in (*meta["chains"], *meta["fallbacks"])]
    assert {item.step for item in report.comparisons} == {*steps, "whole run"}
    assert len(report.comparisons) > len(steps)
    assert not separate or len(steps) >= 19
    if case.shortcut != "expansion":
        assert meta["fallbacks"] == []
        assert sum(chain["stages"].count("project") for chain in meta["chains"]) == 17
    emulator.selftest(library)


@pytest.mark.parametrize("case", parameters(SUBSET))
def test_every_step_equals_the_reference(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, separate=False)


@pytest.mark.parametrize("case", parameters(CHEAPEST))
def test_every_bottleneck_equals_the_reference(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, separate=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", parameters([case for case in SUBSET if case not in CHEAPEST]))
def test_every_bottleneck_of_more_cases_equals_the_reference(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, separate=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", parameters([case for case in everything() if case not in SUBSET]))
def test_every_step_of_the_full_product_equals_the_reference(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, separate=True)
    check(case, tmp_path, separate=False)


def test_avx512_code_runs_on_a_cpu_that_has_it() -> None:
    """The cases themselves run above; this one says where they could not run as they are."""
    wide = [str(case) for case in SUBSET if case.target == building.AVX512]
    assert wide
    assert building.AVX512 in CHOICES["target"]
    if not building.has_avx512():
        pytest.skip(
            "this CPU has no AVX-512: the following ran with their kernels translated to AVX2 by LLVM, NOT as AVX-512 "
            f"code: {', '.join(wide)}"
        )
