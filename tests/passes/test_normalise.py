"""The passes before fusion: constants, batch normalisation and layout in their final form."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.base import bindings, constant_value, is_call
from mnv2c.passes.channels_last import channels_last
from mnv2c.passes.fold_batch_norm import fold_batch_norm
from mnv2c.passes.fold_constants import fold_constants
from tests.passes.parts import values

WEIGHT = values(8, 4, 3, 3)
GAMMA, BETA, MEAN = (values(8, seed=seed) for seed in (1, 2, 3))
VARIANCE = relax.const(np.linspace(0.5, 4, 8, dtype=np.float32))
EPSILON = 0.001
SCALE = GAMMA.value.numpy().astype(np.float64) / np.sqrt(VARIANCE.value.numpy().astype(np.float64) + EPSILON)
FOLDED = relax.const((WEIGHT.value.numpy() * SCALE[:, None, None, None]).astype(np.float32))
FOLDED_BIAS = relax.const(
    (BETA.value.numpy() - MEAN.value.numpy().astype(np.float64) * SCALE).astype(np.float32).reshape(1, 8, 1, 1)
)
MATRIX = values(2, 3)
TRANSPOSED = relax.const(np.ascontiguousarray(MATRIX.value.numpy().T))
FLAT = relax.const(MATRIX.value.numpy().reshape(1, 6))
NCHW_BIAS, NHWC_BIAS = values(1, 8, 1, 1), relax.const(values(1, 8, 1, 1).value.numpy().reshape(1, 1, 1, 8))
OHWI = relax.const(np.ascontiguousarray(WEIGHT.value.numpy().transpose(0, 2, 3, 1)))
ODD = relax.const(np.array([[1], [3], [5], [7]]), "int64")
ZERO, SIX = relax.const(np.float32(0)), relax.const(np.float32(6))


def test_batch_norm_is_folded_into_the_convolution() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 5, 7), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, WEIGHT, padding=1)
                b = R.nn.batch_norm(a, GAMMA, BETA, MEAN, VARIANCE, axis=1, epsilon=EPSILON)
                y = b[0]
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 5, 7), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, FOLDED, padding=1)
                y = R.add(a, FOLDED_BIAS)
                R.output(y)
            return y

    folded = fold_batch_norm(Before)
    tvm.ir.assert_structural_equal(folded, Expected)
    assert [binding.var.name for binding in bindings(folded["main"])][-1] == "y"  # its ONNX tensor is still known


def test_batch_norm_elsewhere_stays() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 5, 7), "float32")) -> R.Tensor((1, 8, 5, 7), "float32"):
            with R.dataflow():
                a = R.sigmoid(x)
                b = R.nn.batch_norm(a, GAMMA, BETA, MEAN, VARIANCE, axis=1, epsilon=EPSILON)
                y = b[0]
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fold_batch_norm(Before), Before)


def test_transposes_and_reshapes_of_constants_are_evaluated() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3), "float32")):
            with R.dataflow():
                a = R.permute_dims(MATRIX)
                b = R.matmul(x, a)
                c = R.reshape(MATRIX, R.shape([3, 2]))
                d = R.reshape(c, R.shape([1, 6]))
                e = R.permute_dims(x, axes=[1, 0])
                R.output(b, d, e)
            return (b, d, e)

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 3), "float32")):
            with R.dataflow():
                b = R.matmul(x, TRANSPOSED)
                e = R.permute_dims(x, axes=[1, 0])
                R.output(b, e)
            return (b, FLAT, e)

    tvm.ir.assert_structural_equal(fold_constants(Before), Expected)


def test_ranges_are_constants_before_their_reshapes_are_folded() -> None:
    """A reshape may have no constant to read once fallbacks are lowered."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8), "int64")) -> R.Tensor((4, 8), "int64"):
            with R.dataflow():
                a = R.arange(1, 9, 2, dtype="int64")
                b = R.reshape(a, (4, 1))
                y = R.add(x, b)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 8), "int64")) -> R.Tensor((4, 8), "int64"):
            with R.dataflow():
                y = R.add(x, ODD)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fold_constants(Before), Expected)


def test_channels_last_leaves_no_transpose_between_image_and_result() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 8), "float32"):
            with R.dataflow():
                t = R.permute_dims(x, axes=[0, 3, 1, 2])
                a = R.nn.conv2d(t, WEIGHT, padding=[1, 0, 1, 2])
                b = R.add(a, NCHW_BIAS)
                c = R.maximum(b, ZERO)
                d = R.minimum(c, SIX)
                m = R.mean(d, axis=[2, 3], keepdims=True)
                y = R.reshape(m, R.shape([1, 8]))
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 8), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(
                    x, OHWI, padding=[1, 0, 1, 2], data_layout="NHWC", kernel_layout="OHWI", out_layout="NHWC"
                )
                b = R.add(a, NHWC_BIAS)
                c = R.maximum(b, ZERO)
                d = R.minimum(c, SIX)
                m = R.mean(d, axis=[1, 2], keepdims=True)
                y = R.reshape(m, R.shape([1, 8]))
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(channels_last(Before), Expected)


def test_a_transpose_that_moves_data_stays() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 5, 7), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, WEIGHT, padding=1)
                y = R.add(a, NCHW_BIAS)
                R.output(y)
            return y

    def transposes(module: Any) -> list[list[int]]:
        calls = [binding.value for binding in bindings(module["main"])]
        return [[int(axis) for axis in call.attrs.axes] for call in calls if is_call(call, "relax.permute_dims")]

    assert transposes(channels_last(Before)) == [[0, 2, 3, 1], [0, 3, 1, 2]]


def test_every_weight_is_a_constant_in_its_final_layout() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 5, 7), "float32")) -> R.Tensor((1, 8, 5, 7), "float32"):
            with R.dataflow():
                y = R.nn.conv2d(x, WEIGHT, padding=1)
                R.output(y)
            return y

    convolution = next(
        binding.value
        for binding in bindings(channels_last(Before)["main"])
        if is_call(binding.value, "relax.nn.conv2d")
    )
    np.testing.assert_array_equal(constant_value(convolution.args[1]), OHWI.value.numpy())
