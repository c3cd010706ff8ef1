"""Graphs in which TVM's own conversion of layouts fails: convolutions are turned one by one, and the numbers stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from mnv2c.errors import OnnxError
from mnv2c.passes.add_biases import add_biases
from mnv2c.passes.base import bindings, is_call
from mnv2c.passes.channels_last import LAYOUTS, channels_last
from mnv2c.passes.fold_batch_norm import fold_batch_norm
from tests.passes.parts import graph, values

IMAGE = (1, 4, 7, 9)


def stacked(emit: Any, image: Any) -> Any:
    """A convolution, one per channel with uneven strides and padding, and a fifth dimension between them."""
    first = emit(relax.op.nn.conv2d(image, values(6, 4, 3, 2), padding=[1, 0, 1, 1], dilation=[1, 2]))
    each = emit(relax.op.nn.conv2d(first, values(6, 1, 3, 3, seed=1), strides=[2, 1], padding=[0, 1, 1, 0], groups=6))
    pile = emit(relax.op.stack([each, each], axis=0))
    return emit(relax.op.nn.conv2d(relax.op.sum(pile, axis=0), values(5, 6, 1, 1, seed=2)))


def run(module: Any, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    machine = relax.VirtualMachine(tvm.compile(relax.transform.LegalizeOps()(module), "llvm"), tvm.cpu())
    result: np.ndarray[Any, Any] = machine["main"](tvm.runtime.tensor(image)).numpy()
    return result


def test_convolutions_are_turned_one_by_one() -> None:
    module = graph(IMAGE, stacked)
    with pytest.raises(tvm.error.InternalError):
        relax.transform.ConvertLayout(LAYOUTS)(module)  # else this test shows nothing any more
    turned = channels_last(module)
    convolutions = [entry.value for entry in bindings(turned["main"]) if is_call(entry.value, "relax.nn.conv2d")]
    assert [str(call.attrs.data_layout) for call in convolutions] == ["NHWC"] * 3
    image = np.random.default_rng(0).normal(size=IMAGE).astype(np.float32)
    expected = run(module, image)
    assert expected.shape == (1, 5, 3, 7)
    np.testing.assert_allclose(run(turned, image), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_constant_added_to_a_single_number() -> None:
    """It has no channels that a bias could be of."""

    def shifted(emit: Any, image: Any) -> Any:
        made = emit(relax.op.nn.conv2d(image, values(8, 4, 3, 3)))
        return relax.op.add(emit(relax.op.mean(made)), values())

    module = graph(IMAGE, shifted)
    image = np.random.default_rng(1).normal(size=IMAGE).astype(np.float32)
    np.testing.assert_allclose(run(add_biases(module), image), run(module, image), rtol=1e-6)


def test_an_error_within_a_pass_stays_the_error_that_it_is() -> None:
    """It passes through TVM, which knows only its own kinds of errors."""

    def normalised(emit: Any, image: Any) -> Any:
        made = emit(relax.op.nn.conv2d(image, values(8, 4, 3, 3)))
        below = relax.const(np.full(8, -1, np.float32))
        found = relax.op.nn.batch_norm(made, *(values(8, seed=seed) for seed in (1, 2, 3)), below, axis=1)
        return relax.TupleGetItem(emit(found), 0)

    with pytest.raises(OnnxError, match="negative variance"):
        fold_batch_norm(graph(IMAGE, normalised))
