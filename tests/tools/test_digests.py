"""Digests of compiled folders: equal where only names differ, and different where anything else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnv2c.compiler import emitting
from mnv2c.kernels.microkernels import base
from mnv2c.planner import prepare
from tools.digests.compare import differences
from tools.digests.compiling import digests
from tools.digests.folder import Digests
from tools.digests.matrix import ALL, MODELS, QUICK, TARGETS, Case

CASE = Case("foreign residual", "x86-64-v3")
NAMES = frozenset({"source", "header"})


@pytest.fixture(scope="module")
def right() -> Digests:
    return digests(CASE)


@pytest.mark.parametrize("target", ["x86-64-v3", "cortex-a76", "cortex-a7"])
def test_names_and_the_order_that_follows_from_them_do_not_count(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = replace(CASE, target=target)
    before = digests(case)
    monkeypatch.setattr(prepare, "symbol", lambda library, label: f"{library}_{label[::-1]}")
    after = digests(case, name="other")
    assert before.labels != after.labels and len(before.code) > 5
    found = list(differences("it", before, after))
    assert found == ["it: source differs", "it: header differs"]
    assert list(differences("it", before, after, NAMES)) == []


def test_packed_weights_count(right: Digests, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = emitting.pack_weights  # type: ignore[attr-defined]

    def changed(layout: Any, weights: Any) -> Any:
        return tuple(np.nextafter(array, np.float32(9)) for array in pack(layout, weights))

    monkeypatch.setattr(emitting, "pack_weights", changed)
    assert list(differences("it", right, digests(CASE), NAMES)) == ["it: weights differs"]


def test_constants_and_the_code_count(right: Digests, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that become ones are read from memory."""
    monkeypatch.setattr(base, "zero", lambda provider, lanes: base.constant(1.0, provider.dtype, lanes))
    from mnv2c.kernels import zeros

    monkeypatch.setattr(zeros, "zero", lambda provider, lanes: base.constant(1.0, provider.dtype, lanes))
    found = list(differences("it", right, digests(CASE), NAMES))
    assert any("code of kernel" in line for line in found) and any("constants of kernel" in line for line in found)
    assert not any("weights" in line or "plan" in line for line in found)


def test_the_plan_counts(right: Digests) -> None:
    found = list(differences("it", right, digests(replace(CASE, threads=2)), NAMES))
    assert "it: plan differs" in found and "it: weights differs" not in found


def test_the_quick_cases_have_everything() -> None:
    assert len(QUICK) == 12 and set(QUICK) <= set(ALL)
    assert {case.model for case in QUICK} == set(MODELS) and {case.target for case in QUICK} == set(TARGETS)
    assert {case.threads for case in QUICK} == {1, 2} and {case.schedules for case in QUICK} == {True, False}
    assert {case.limit for case in QUICK} == {None, 0.4}
