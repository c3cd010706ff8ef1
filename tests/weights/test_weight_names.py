"""Names and shapes of a model's tensors, and the check of a set of weights."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from mnv2c.errors import WeightsError
from mnv2c.spec import load
from mnv2c.spec.cost import cost
from mnv2c.weights import check, expected, random_weights
from mnv2c.weights.names import total_elements

BASE = load("mobilenet_v2")
SMALL = load("mobilenet_v2", width=0.35, resolution=32, classes=5)


def test_names_and_shapes() -> None:
    shapes = expected(BASE)
    assert next(iter(shapes.items())) == ("stem.weight", (32, 3, 3, 3))
    assert shapes["block_1.depthwise.weight"] == (32, 1, 3, 3)
    assert shapes["block_2.expand.weight"] == (96, 16, 1, 1)
    assert shapes["block_2.expand.bn.variance"] == (96,)
    assert shapes["head.dense.weight"] == (1000, 1280)
    assert shapes["head.dense.bias"] == (1000,)
    assert "block_1.expand.weight" not in shapes and "head.pool.weight" not in shapes
    assert len(shapes) == 52 * 5 + 2


def test_trainable_tensors_are_the_parameters() -> None:
    trainable = (prod(shape) for name, shape in expected(BASE).items() if not name.endswith((".mean", ".variance")))
    assert sum(trainable) == cost(BASE).parameters
    assert total_elements(BASE) == 3_504_872 + 34_112


@pytest.mark.parametrize("changes", [{"output_stride": 8}, {"padding": "tf_same"}, {"shortcut": "none"}])
def test_conventions_do_not_change_the_tensors(changes: dict) -> None:
    assert expected(replace(BASE, **changes)) == expected(BASE)


def test_wrong_dtype_is_refused() -> None:
    weights = random_weights(SMALL, 0)
    check(weights, SMALL)
    weights["stem.weight"] = weights["stem.weight"].astype(np.float64)
    with pytest.raises(WeightsError, match=r'^weights: tensor "stem\.weight" is float64; float32 is needed$'):
        check(weights, SMALL)
