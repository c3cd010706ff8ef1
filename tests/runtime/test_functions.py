"""Functions of <math.h> that fallbacks call: an emulated program has no libc, and brings its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c.verification import comparison
from tests.to_relax.graphs import model

FUNCTIONS = ("Exp", "Log", "Tanh", "Erf", "Sin", "Cos", "Sigmoid", "Softplus", "Floor", "Ceil", "Round")
SIZE = 256


def functions() -> onnx.ModelProto:
    """Every function of values from -8 to 8, quarters among them; logarithms and powers of what is positive."""
    nodes = [helper.make_node("Mul", ["x", "eight"], ["scaled"]), helper.make_node("Mul", ["x", "half"], ["small"])]
    nodes += [helper.make_node("Concat", ["scaled", "small", "quarters"], ["all"], axis=1)]
    nodes += [helper.make_node("Abs", ["all"], ["size"]), helper.make_node("Add", ["size", "half"], ["positive"])]
    names = {"Log": "positive"}
    nodes += [helper.make_node(name, [names.get(name, "all")], [name.lower()]) for name in FUNCTIONS]
    nodes += [helper.make_node("Pow", ["positive", "exponent"], ["pow"])]
    nodes += [helper.make_node("Mod", ["all", "divisor"], ["mod"], fmod=1), helper.make_node("Softmax", ["all"], ["p"])]
    quarters = np.arange(-32, 32, dtype=np.float32).reshape(1, -1) / 4
    constants = {"eight": np.float32(8), "half": np.float32(0.5), "quarters": quarters}
    constants |= {"exponent": np.float32(2.6), "divisor": np.float32(0.7)}
    shape = [1, 2 * SIZE + quarters.size]
    outputs = dict.fromkeys([*(name.lower() for name in FUNCTIONS), "pow", "mod", "p"], shape)
    return model(nodes, {"x": [1, SIZE]}, outputs, constants)


@pytest.mark.emulated
@pytest.mark.parametrize("target", ["cortex-a53", "cortex-a7"])
def test_fallbacks_compute_functions_in_an_emulated_program(target: str, tmp_path: Path) -> None:
    onnx.save(functions(), tmp_path / "functions.onnx")
    mnv2c.compile(tmp_path / "functions.onnx", target, output=tmp_path / "out")
    report = comparison.compare(tmp_path / "out")
    assert report.max_rel_error < 2e-6, [item for item in report.comparisons if not item.error < 2e-6]
    assert len(report.comparisons) > len(FUNCTIONS) + 3
