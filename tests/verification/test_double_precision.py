"""Where float32 is undecided, float64 judges; a wrong result stays wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import mnv2c
from mnv2c.errors import VerificationError
from mnv2c.runtime import load
from mnv2c.verification import comparison, onnx_reference
from mnv2c.verification.double_precision import MOST, Result, evaluate, settled, verdicts
from mnv2c.verification.tolerance import FLOAT32, relative_error
from tests.to_relax.graphs import model

ONE = {"x": np.ones((1, 4), np.float32)}


def sigmoid(of: float) -> onnx.ModelProto:
    """A sigmoid of logits near ``of``: onnxruntime's approximation is off by some 1e-8, whatever the result."""
    nodes = [helper.make_node("Add", ["x", "by"], ["sum"]), helper.make_node("Sigmoid", ["sum"], ["y"])]
    return model(nodes, {"x": [1, 4]}, {"y": [1, 4]}, {"by": np.array([of], np.float32)})


def cancelling(by: float = 0.0) -> onnx.ModelProto:
    """A sum of which nearly all is taken away again; ``by`` is a fault of one of its terms."""
    terms = np.random.default_rng(0).uniform(1, 2, (512, 1)).astype(np.float32)
    rest = terms.astype(np.float64).sum() - 0.01
    values = {"w": terms, "rest": np.array([-rest], np.float32)}
    values["w"][7] += np.float32(by)
    nodes = [
        helper.make_node("Expand", ["x", "shape"], ["ones"]),
        helper.make_node("Gemm", ["ones", "w", "rest"], ["y"]),
    ]
    return model(nodes, {"x": [1, 1]}, {"y": [1, 1]}, {**values, "shape": np.array([1, 512], np.int64)})


def exact(network: onnx.ModelProto, **inputs: np.ndarray) -> np.ndarray:
    return evaluate(network, inputs, ["y"])["y"]


def judged(network: onnx.ModelProto, found: np.ndarray, **inputs: np.ndarray) -> tuple[bool, float]:
    reference = dict(zip(["y"], onnx_reference.session(network.SerializeToString()).run(["y"], inputs), strict=True))
    result = Result(("y",), lambda values: relative_error(found, values["y"]))
    (verdict,) = verdicts([result], reference, network.SerializeToString(), inputs)
    return verdict.right, verdict.allowed


def test_the_better_result_of_two_is_right() -> None:
    network = sigmoid(-12.0)
    wanted = exact(network, **ONE)
    assert wanted == pytest.approx(1 / (1 + np.exp(11.0)), rel=1e-12)
    assert judged(network, wanted.astype(np.float32), **ONE) == (True, FLOAT32)
    assert judged(network, wanted.astype(np.float32) * np.float32(1.0005), **ONE) == (False, FLOAT32)


def test_a_sum_that_cancels_may_be_off_by_what_rounding_costs_and_no_more() -> None:
    network, one = cancelling(), np.ones((1, 1), np.float32)
    wanted = exact(network, x=one)
    right, allowed = judged(network, wanted * (1 + 5e-4), x=one)
    assert right
    assert FLOAT32 < allowed <= MOST
    assert not judged(network, wanted * (1 + 2 * MOST), x=one)[0]
    assert not judged(cancelling(by=0.0), exact(cancelling(by=1e-3), x=one), x=one)[0]


def test_what_is_right_by_the_reference_is_not_evaluated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnv2c.verification.double_precision.evaluate", None)
    network = sigmoid(0.0)
    assert judged(network, exact(network, **ONE), **ONE)[0]


@pytest.mark.parametrize("found", [np.nan, np.inf])
def test_nan_and_infinity_are_wrong(found: float) -> None:
    assert not judged(sigmoid(0.0), np.full((1, 4), found, np.float32), **ONE)[0]


def test_an_operator_that_the_evaluator_lacks_leaves_the_reference_its_word() -> None:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"], domain="elsewhere")
    network = model([node], {"x": [1, 4]}, {"y": [1, 4]}, check=False).SerializeToString()
    reference = {"y": np.ones((1, 4), np.float32)}
    result = Result(("y",), lambda values: relative_error(np.full((1, 4), 1.001), values["y"]))
    (verdict,) = verdicts([result], reference, network, ONE)
    assert (verdict.right, verdict.allowed) == (False, FLOAT32)
    assert settled(["y"], reference, network, ONE)["y"].values is reference["y"]


def test_constants_and_casts_are_evaluated_in_float64() -> None:
    constant = numpy_helper.from_array(np.array([2.0**-30], np.float32))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=constant),
        helper.make_node("Cast", ["x"], ["turned"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Add", ["turned", "c"], ["y"]),
    ]
    network = model(nodes, {"x": [1, 4]}, {"y": [1, 4]})
    found = exact(network, **ONE)
    assert found.dtype == np.float64
    assert (found == 1 + 2.0**-30).all()


@pytest.mark.parametrize("network", [sigmoid(-12.0), sigmoid(-16.0), cancelling()], ids=["-12", "-16", "cancelling"])
def test_a_right_library_of_a_network_that_rounds_badly_is_published(tmp_path: Path, network: onnx.ModelProto) -> None:
    onnx.save(network, tmp_path / "rounds.onnx")
    made = mnv2c.compile(str(tmp_path / "rounds.onnx"), output=tmp_path / "out")
    assert json.loads((made.directory / f"{made.name}.json").read_text())["checked"][0]["on"] == "this CPU"
    assert mnv2c.verify(made.directory).passed
    load(made.directory).selftest()


def test_a_wrong_step_of_such_a_network_is_still_found(tmp_path: Path) -> None:
    onnx.save(sigmoid(-12.0), tmp_path / "rounds.onnx")
    made = mnv2c.compile(str(tmp_path / "rounds.onnx"), output=tmp_path / "out", check="none")
    onnx.save(sigmoid(-12.001), made.directory / f"{made.name}.onnx")
    with pytest.raises(VerificationError, match="tolerance 1e-04"):
        mnv2c.verify(made.directory)
    wrong = [item for item in comparison.compare(made.directory).comparisons if not item.passed]
    assert {item.tensor for item in wrong} == {"y"}
    assert all(FLOAT32 < item.error < MOST for item in wrong)


def test_a_frame_whose_scores_are_that_small_is_judged_by_float64_too(tmp_path: Path) -> None:
    """The reference's own answer is off by more than an answer may be."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Add", ["flat", "by"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["y"]),
    ]
    shift = {"by": np.array([-14.0, -15.0, -16.0], np.float32)}
    onnx.save(model(nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 3]}, shift), tmp_path / "scores.onnx")
    made = mnv2c.compile(str(tmp_path / "scores.onnx"), output=tmp_path / "out")
    assert made.metadata["frames"]["answer"] == "classes"
    assert made.metadata["checked"][0]["on"] == "this CPU"
