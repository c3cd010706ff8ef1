"""The head, the classifier, single convolutions and means; what is left falls back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.fuse_dense import fuse_dense
from mnv2c.passes.fuse_head import fuse_head
from mnv2c.passes.fuse_single import fuse_single
from mnv2c.passes.lower_fallbacks import lower_fallbacks
from tests.passes.parts import (
    DENSE,
    DENSE_BIAS,
    DEPTHWISE,
    DEPTHWISE_BIAS,
    EXPAND,
    EXPAND_BIAS,
    GROUPED,
    GROUPED_BIAS,
    HIGH,
    LOW,
    NHWC,
    graph,
    kinds,
)


def test_head_is_the_last_convolution_and_the_mean() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                b = R.add(a, EXPAND_BIAS)
                c = R.maximum(b, LOW)
                d = R.minimum(c, HIGH)
                y = R.mean(d, axis=[1, 2], keepdims=True)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_head_0(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            R.func_attr({"mnv2c.chain": "head"})
            with R.dataflow():
                a = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                b = R.add(a, EXPAND_BIAS)
                c = R.maximum(b, LOW)
                d = R.minimum(c, HIGH)
                y = R.mean(d, axis=[1, 2], keepdims=True)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_head_0(x)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fuse_head(Before), Expected)


def headed(axis: list[int], weight: Any = EXPAND, twice: bool = False) -> Any:
    def build(emit: Any, x: Any) -> Any:
        groups = 8 if weight is DEPTHWISE else 1
        a = emit(relax.op.add(emit(relax.op.nn.conv2d(x, weight, groups=groups, **NHWC)), EXPAND_BIAS))
        y = emit(relax.op.mean(a, axis=axis, keepdims=True))
        return relax.Tuple([y, a]) if twice else y

    return graph((1, 5, 7, 8 if weight is DEPTHWISE else 4), build)


def test_negative_axes_are_the_same_mean() -> None:
    assert kinds(fuse_head(headed([-3, -2]))) == {"fused_head_0": "head"}


@pytest.mark.parametrize(
    "module",
    [headed([1]), headed([1, 3]), headed([2, 3]), headed([1, 2], DEPTHWISE), headed([1, 2], twice=True)],
    ids=["rows", "rows and channels", "columns and channels", "depthwise", "read twice"],
)
def test_other_means_are_no_head(module: Any) -> None:
    tvm.ir.assert_structural_equal(fuse_head(module), module)


def test_dense_is_one_row_times_a_constant_plus_a_constant() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8), "float32")) -> R.Tensor((1, 3), "float32"):
            with R.dataflow():
                a = R.matmul(x, DENSE)
                y = R.add(a, DENSE_BIAS)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_dense_0(x: R.Tensor((1, 8), "float32")) -> R.Tensor((1, 3), "float32"):
            R.func_attr({"mnv2c.chain": "dense"})
            with R.dataflow():
                a = R.matmul(x, DENSE)
                y = R.add(a, DENSE_BIAS)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 8), "float32")) -> R.Tensor((1, 3), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_dense_0(x)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fuse_dense(Before), Expected)


def multiplied(rows: int, bias: Any, weight: Any = DENSE) -> Any:
    return graph((rows, 8), lambda emit, x: emit(relax.op.add(emit(relax.op.matmul(x, weight)), bias)))


def test_other_products_are_not_dense() -> None:
    two_rows = multiplied(2, DENSE_BIAS)
    scalar = multiplied(1, relax.const(np.float32(1)))
    tvm.ir.assert_structural_equal(fuse_dense(two_rows), two_rows)
    tvm.ir.assert_structural_equal(fuse_dense(scalar), scalar)
    square = graph((1, 1), lambda emit, x: emit(relax.op.add(emit(relax.op.matmul(x, x)), x)))
    tvm.ir.assert_structural_equal(fuse_dense(square), square)


def test_single_convolutions_and_means_get_a_chain_of_their_own() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            with R.dataflow():
                a = R.nn.conv2d(x, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                b = R.add(a, DEPTHWISE_BIAS)
                c = R.sigmoid(b)
                y = R.mean(c, axis=[1, 2], keepdims=True)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_convolution_0(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 5, 7, 8), "float32"):
            R.func_attr({"mnv2c.chain": "convolution"})
            with R.dataflow():
                a = R.nn.conv2d(x, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                b = R.add(a, DEPTHWISE_BIAS)
                R.output(b)
            return b

        @R.function(private=True)
        def fused_pool_1(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            R.func_attr({"mnv2c.chain": "pool"})
            with R.dataflow():
                y = R.mean(x, axis=[1, 2], keepdims=True)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 1, 1, 8), "float32"):
            cls = Expected
            with R.dataflow():
                b = cls.fused_convolution_0(x)
                c = R.sigmoid(b)
                y = cls.fused_pool_1(c)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(fuse_single(Before), Expected)


def test_a_grouped_convolution_has_no_chain() -> None:
    def build(emit: Any, x: Any) -> Any:
        return emit(relax.op.add(emit(relax.op.nn.conv2d(x, GROUPED, groups=4, **NHWC)), GROUPED_BIAS))

    module = graph((1, 5, 7, 8), build)
    tvm.ir.assert_structural_equal(fuse_single(module), module)
    lowered = lower_fallbacks(module)
    values = [binding.value for binding in lowered["main"].body.blocks[0].bindings]
    assert [value.op.name for value in values] == ["relax.call_tir"] * 2


def test_fallbacks_become_call_tir_with_their_functions_and_reshapes_stay() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4), "float32")) -> R.Tensor((2, 2), "float32"):
            with R.dataflow():
                a = R.sigmoid(x)
                y = R.reshape(a, R.shape([2, 2]))
                R.output(y)
            return y

    lowered = lower_fallbacks(Before)
    first, second = (binding.value for binding in lowered["main"].body.blocks[0].bindings)
    assert first.op.name == "relax.call_tir"
    assert second.op.name == "relax.reshape"
    assert isinstance(lowered[first.args[0]], tvm.tirx.PrimFunc)
    relax.analysis.well_formed(lowered)
