"""The passes that bring what exporters write in many forms into the one that fusion knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.add_biases import add_biases
from mnv2c.passes.constants_last import constants_last
from mnv2c.passes.fold_batch_norm import fold_batch_norm
from mnv2c.passes.fold_padding import fold_padding
from mnv2c.passes.fuse_inputs import fuse_inputs
from mnv2c.passes.fuse_single import fuse_single
from mnv2c.passes.global_means import global_means
from mnv2c.passes.plain_reshapes import plain_reshapes
from tests.passes.parts import kinds, values

WEIGHT, BIAS = values(8, 4, 3, 3), values(1, 8, 1, 1)
ZEROS = relax.const(np.zeros((1, 8, 1, 1), np.float32))
MATRIX, ROW_ZEROS = values(6, 3), relax.const(np.zeros(3, np.float32))
SIX = relax.const(np.float32(6))
GAMMA, BETA, MEAN = (values(8, seed=seed) for seed in (1, 2, 3))
VARIANCE = relax.const(np.linspace(0.5, 4, 8, dtype=np.float32))
SCALE = GAMMA.value.numpy().astype(np.float64) / np.sqrt(VARIANCE.value.numpy().astype(np.float64) + 1e-3)
FOLDED = relax.const((WEIGHT.value.numpy() * SCALE[:, None, None, None]).astype(np.float32))
SHIFTED = relax.const(
    (BETA.value.numpy() + (BIAS.value.numpy().ravel() - MEAN.value.numpy().astype(np.float64)) * SCALE)
    .astype(np.float32)
    .reshape(1, 8, 1, 1)
)
OHWI, LAST_BIAS = values(8, 3, 3, 4), values(1, 1, 1, 8)


def main(body: Any, *extents: int) -> Any:
    """A module whose ``main`` is ``body(builder, x)`` of one input."""
    builder, x = relax.BlockBuilder(), relax.Var("x", relax.TensorType(extents, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(body(builder, x))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def test_a_bias_before_batch_normalisation_is_folded_too() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 3, 5), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, WEIGHT)
                b = R.add(a, BIAS)
                c = R.nn.batch_norm(b, GAMMA, BETA, MEAN, VARIANCE, axis=1, epsilon=1e-3)
                y = c[0]
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 3, 5), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, FOLDED)
                y = R.add(a, SHIFTED)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fold_batch_norm(Before), Expected)


def test_products_without_a_bias_get_one_of_zeros() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32"), v: R.Tensor((1, 6), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, WEIGHT)
                b = R.matmul(v, MATRIX)
                c = R.nn.conv2d(x, WEIGHT)
                d = R.add(c, BIAS)
                R.output(a, b, d)
            return (a, b, d)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32"), v: R.Tensor((1, 6), "float32")):
            with R.dataflow():
                p = R.nn.conv2d(x, WEIGHT)
                a = R.add(p, ZEROS)
                q = R.matmul(v, MATRIX)
                b = R.add(q, ROW_ZEROS)
                c = R.nn.conv2d(x, WEIGHT)
                d = R.add(c, BIAS)
                R.output(a, b, d)
            return (a, b, d)

    tvm.ir.assert_structural_equal(add_biases(Before), Expected)


def test_constants_come_second() -> None:
    before = main(lambda builder, x: relax.op.maximum(SIX, builder.emit(relax.op.add(SIX, x))), 1, 4)
    expected = main(lambda builder, x: relax.op.maximum(builder.emit(relax.op.add(x, SIX)), SIX), 1, 4)
    tvm.ir.assert_structural_equal(constants_last(before), expected)
    ordered = main(lambda builder, x: relax.op.subtract(SIX, x), 1, 4)
    tvm.ir.assert_structural_equal(constants_last(ordered), ordered)


def test_views_become_reshapes() -> None:
    expected = main(lambda builder, x: relax.op.reshape(x, [1, 8]), 1, 8, 1, 1)
    for view in (lambda x: relax.op.squeeze(x, [2, 3]), lambda x: relax.op.reshape(x, [1, -1])):
        tvm.ir.assert_structural_equal(plain_reshapes(main(lambda builder, x, v=view: v(x), 1, 8, 1, 1)), expected)
    kept = main(lambda builder, x: relax.op.nn.relu(builder.emit(relax.op.reshape(x, [1, 8]))), 1, 8)
    tvm.ir.assert_structural_equal(plain_reshapes(kept), main(lambda builder, x: relax.op.nn.relu(x), 1, 8))


def test_global_averages_become_one_mean() -> None:
    def mean(builder: Any, x: Any) -> Any:
        return relax.op.mean(x, [2, 3], keepdims=True)

    def flat(builder: Any, x: Any) -> Any:
        return relax.op.reshape(builder.emit(mean(builder, x)), [1, 4])

    forms: list[tuple[Any, Any]] = [
        (lambda builder, x: relax.op.nn.avg_pool2d(x, (5, 7)), mean),
        (lambda builder, x: relax.op.nn.adaptive_avg_pool2d(x, (1, 1)), mean),
        (lambda builder, x: relax.op.mean(x, [-1, -2], keepdims=True), mean),
        (lambda builder, x: relax.op.mean(x, [2, 3], keepdims=False), flat),
        (lambda builder, x: relax.op.mean(builder.emit(relax.op.mean(x, [3])), [2]), flat),
    ]
    for before, expected in forms:
        tvm.ir.assert_structural_equal(global_means(main(before, 1, 4, 5, 7)), main(expected, 1, 4, 5, 7))


def test_other_averages_stay() -> None:
    for form in (lambda b, x: relax.op.nn.avg_pool2d(x, (5, 5)), lambda b, x: relax.op.mean(x, [1, 2], keepdims=True)):
        before = main(form, 1, 4, 5, 7)
        tvm.ir.assert_structural_equal(global_means(before), before)


def padded(widths: list[int], value: float = 0.0) -> Any:
    def body(builder: Any, x: Any) -> Any:
        pad = builder.emit(relax.op.nn.pad(x, widths, "constant", value))
        return relax.op.nn.conv2d(pad, WEIGHT, strides=2, padding=[1, 0, 0, 1])

    return main(body, 1, 4, 5, 7)


def test_a_pad_with_zeros_joins_the_padding_of_the_convolution() -> None:
    expected = main(lambda b, x: relax.op.nn.conv2d(x, WEIGHT, strides=2, padding=[2, 3, 2, 5]), 1, 4, 5, 7)
    tvm.ir.assert_structural_equal(fold_padding(padded([0, 0, 0, 0, 1, 2, 3, 4])), expected)


def test_other_pads_stay() -> None:
    for before in (padded([0, 0, 0, 0, 1, 1, 1, 1], value=1.0), padded([1, 0, 0, 0, 0, 0, 1, 1])):
        tvm.ir.assert_structural_equal(fold_padding(before), before)


def test_the_transpose_of_an_input_is_drawn_into_its_chain() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 3, 5, 8), "float32"):
            with R.dataflow():
                t = R.permute_dims(x, axes=[0, 2, 3, 1])
                a = R.nn.conv2d(t, OHWI, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(a, LAST_BIAS)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_convolution_0_nchw(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 3, 5, 8), "float32"):
            R.func_attr({"mnv2c.chain": "convolution"})
            with R.dataflow():
                t = R.permute_dims(x, axes=[0, 2, 3, 1])
                a = R.nn.conv2d(t, OHWI, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(a, LAST_BIAS)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 3, 5, 8), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_convolution_0_nchw(x)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fuse_inputs(fuse_single(Before)), Expected)


def test_a_transpose_to_another_order_stays_outside() -> None:
    def body(builder: Any, x: Any) -> Any:
        turned = builder.emit(relax.op.permute_dims(x, [0, 3, 2, 1]))
        attributes = {"data_layout": "NHWC", "kernel_layout": "OHWI"}
        return relax.op.add(builder.emit(relax.op.nn.conv2d(turned, OHWI, **attributes)), LAST_BIAS)

    fused = fuse_single(main(body, 1, 4, 5, 7))
    assert kinds(fused) == kinds(fuse_inputs(fused)) == {"fused_convolution_0": "convolution"}
