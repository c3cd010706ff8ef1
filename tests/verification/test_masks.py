"""Classes of pixels: what they are compared by, and where a self-test may look."""

import math

import numpy as np
import onnx
import pytest

from mnv2c.codegen.selftest import expected
from mnv2c.verification import masks, tolerance
from tests.segmenter.networks import Net, model

SCORES = np.array([[1.0, 1.0, -4.0], [3.0, 2.9999, 0.0], [0.0, 0.0, 2.0]], np.float32)
BEST = np.array([0, 0, 2], np.uint8)


def test_a_pixel_may_differ_where_its_scores_are_equal() -> None:
    assert tolerance.mask_error(BEST, BEST, SCORES) == 0.0
    assert tolerance.mask_error(np.array([1, 0, 2], np.uint8), BEST, SCORES) == 0.0
    assert tolerance.mask_error(np.array([0, 1, 2], np.uint8), BEST, SCORES) == pytest.approx(1e-4 / 4, rel=1e-2)
    assert tolerance.mask_error(np.array([0, 0, 1], np.uint8), BEST, SCORES) == pytest.approx(2 / 4)


@pytest.mark.parametrize("bad", [np.array([0, 0, 3]), np.array([0, -1, 2]), np.array([0, 0])])
def test_what_is_no_class_never_agrees(bad: np.ndarray) -> None:
    assert tolerance.mask_error(bad, BEST, SCORES) == math.inf


def test_scores_are_found_behind_casts() -> None:
    found = masks.scores_of(model(Net()))
    assert found["mask"].axis == 1 and found["mask"].tensor.startswith("resize")
    assert masks.scores_of(model(Net(output="logits"))) == {}
    scores = np.arange(24.0).reshape(1, 2, 3, 4)
    assert masks.Scores("x", 1).per_class(scores).tolist() == scores.reshape(2, 12).T.tolist()


def test_scores_become_outputs_once() -> None:
    reference = model(Net())
    found = masks.scores_of(reference)
    extended = masks.with_scores(reference, found)
    assert [output.name for output in extended.graph.output] == ["mask", found["mask"].tensor]
    assert [output.name for output in reference.graph.output] == ["mask"]


def test_the_last_of_equal_classes_is_another_operator() -> None:
    reference = model(Net())
    for node in reference.graph.node:
        if node.op_type == "ArgMax":
            node.attribute.append(onnx.helper.make_attribute("select_last_index", 1))
    assert masks.scores_of(reference) == {}


def test_margins_are_those_between_the_best_two() -> None:
    assert masks.margins(SCORES) == pytest.approx([0.0, 1e-4 / 4, 0.5], rel=1e-2)
    assert masks.margins(SCORES[:, :1]).tolist() == [math.inf] * 3


def test_a_self_test_looks_where_classes_are_sure() -> None:
    found = expected(BEST, np.array([2]))
    assert found.samples == ((2, 2.0),) and found.tolerance == 0.0
    unsure = expected(BEST, np.array([], np.int64))
    assert unsure.samples == ((0, 0.0),) and unsure.tolerance >= 255
