"""Bottlenecks become one function each; what is not quite a bottleneck stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.fuse_bottleneck import fuse_bottleneck
from tests.passes.parts import (
    DEPTHWISE,
    DEPTHWISE_BIAS,
    EXPAND,
    EXPAND_BIAS,
    GROUPED,
    GROUPED_BIAS,
    HIGH,
    LOW,
    NHWC,
    PROJECT,
    PROJECT_BIAS,
    STEM,
    STEM_BIAS,
    graph,
    kinds,
    values,
)


def check(before: Any, expected: Any) -> None:
    untouched = before.clone()
    tvm.ir.assert_structural_equal(fuse_bottleneck(before), expected)
    tvm.ir.assert_structural_equal(before, untouched)


def test_expand_depthwise_project_and_shortcut() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 5, 7, 4), "float32"):
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                e2 = R.maximum(e1, LOW)
                e3 = R.minimum(e2, HIGH)
                d0 = R.nn.conv2d(e3, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                d2 = R.maximum(d1, LOW)
                d3 = R.minimum(d2, HIGH)
                p0 = R.nn.conv2d(d3, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                y = R.add(p1, x)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_bottleneck_0(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 5, 7, 4), "float32"):
            R.func_attr({"mnv2c.chain": "bottleneck"})
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                e2 = R.maximum(e1, LOW)
                e3 = R.minimum(e2, HIGH)
                d0 = R.nn.conv2d(e3, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                d2 = R.maximum(d1, LOW)
                d3 = R.minimum(d2, HIGH)
                p0 = R.nn.conv2d(d3, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                y = R.add(p1, x)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 5, 7, 4), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_bottleneck_0(x)
                R.output(y)
            return y

    check(Before, Expected)


def test_without_shortcut_and_with_relu6_after_the_projection() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 3, 4, 4), "float32"):
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                d0 = R.nn.conv2d(
                    e1, DEPTHWISE, strides=2, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI"
                )
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                p2 = R.maximum(p1, LOW)
                y = R.minimum(p2, HIGH)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_bottleneck_0(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 3, 4, 4), "float32"):
            R.func_attr({"mnv2c.chain": "bottleneck"})
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                d0 = R.nn.conv2d(
                    e1, DEPTHWISE, strides=2, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI"
                )
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                p2 = R.maximum(p1, LOW)
                y = R.minimum(p2, HIGH)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor((1, 3, 4, 4), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_bottleneck_0(x)
                R.output(y)
            return y

    check(Before, Expected)


def test_block_without_expansion_takes_the_stem_in() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 9, 7, 3), "float32")) -> R.Tensor((1, 5, 4, 4), "float32"):
            with R.dataflow():
                s0 = R.nn.conv2d(x, STEM, strides=2, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                s1 = R.add(s0, STEM_BIAS)
                d0 = R.nn.conv2d(s1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(p0, PROJECT_BIAS)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_stem_0(x: R.Tensor((1, 9, 7, 3), "float32")) -> R.Tensor((1, 5, 4, 4), "float32"):
            R.func_attr({"mnv2c.chain": "stem"})
            with R.dataflow():
                s0 = R.nn.conv2d(x, STEM, strides=2, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                s1 = R.add(s0, STEM_BIAS)
                d0 = R.nn.conv2d(s1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(p0, PROJECT_BIAS)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 9, 7, 3), "float32")) -> R.Tensor((1, 5, 4, 4), "float32"):
            cls = Expected
            with R.dataflow():
                y = cls.fused_stem_0(x)
                R.output(y)
            return y

    check(Before, Expected)


def test_a_stem_that_others_read_stays_outside() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 9, 7, 3), "float32")):
            with R.dataflow():
                s0 = R.nn.conv2d(x, STEM, strides=2, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                s1 = R.add(s0, STEM_BIAS)
                d0 = R.nn.conv2d(s1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                R.output(s1, p1)
            return (s1, p1)

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_bottleneck_0(x: R.Tensor((1, 5, 4, 8), "float32")) -> R.Tensor((1, 5, 4, 4), "float32"):
            R.func_attr({"mnv2c.chain": "bottleneck"})
            with R.dataflow():
                d0 = R.nn.conv2d(x, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(p0, PROJECT_BIAS)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 9, 7, 3), "float32")):
            cls = Expected
            with R.dataflow():
                s0 = R.nn.conv2d(x, STEM, strides=2, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                s1 = R.add(s0, STEM_BIAS)
                p1 = cls.fused_bottleneck_0(s1)
                R.output(s1, p1)
            return (s1, p1)

    check(Before, Expected)


def test_an_expanded_tensor_that_others_read_becomes_a_side_output() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")):
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                z = R.sigmoid(e1)
                d0 = R.nn.conv2d(e1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                y = R.add(x, p1)
                R.output(y, z)
            return (y, z)

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_bottleneck_0(
            x: R.Tensor((1, 5, 7, 4), "float32"),
        ) -> R.Tuple(R.Tensor((1, 5, 7, 8), "float32"), R.Tensor((1, 5, 7, 4), "float32")):
            R.func_attr({"mnv2c.chain": "bottleneck"})
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                d0 = R.nn.conv2d(e1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                y = R.add(x, p1)
                R.output(e1, y)
            return (e1, y)

        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")):
            cls = Expected
            with R.dataflow():
                results = cls.fused_bottleneck_0(x)
                e1 = results[0]
                y = results[1]
                z = R.sigmoid(e1)
                R.output(y, z)
            return (y, z)

    check(Before, Expected)


def test_a_projection_that_others_read_keeps_the_shortcut_outside() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32")):
            with R.dataflow():
                e0 = R.nn.conv2d(x, EXPAND, data_layout="NHWC", kernel_layout="OHWI")
                e1 = R.add(e0, EXPAND_BIAS)
                d0 = R.nn.conv2d(e1, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                d1 = R.add(d0, DEPTHWISE_BIAS)
                p0 = R.nn.conv2d(d1, PROJECT, data_layout="NHWC", kernel_layout="OHWI")
                p1 = R.add(p0, PROJECT_BIAS)
                y = R.add(p1, x)
                R.output(p1, y)
            return (p1, y)

    fused = fuse_bottleneck(Before)
    assert kinds(fused) == {"fused_bottleneck_0": "bottleneck"}
    calls = [binding.value for block in fused["main"].body.blocks for binding in block.bindings]
    assert [getattr(call.op, "name", "chain") for call in calls[:2]] == ["chain", "relax.add"]


def test_two_blocks_in_a_row_share_no_convolution() -> None:
    def blocks(emit: Any, value: Any) -> Any:
        for _ in range(3):
            value = emit(relax.op.add(emit(relax.op.nn.conv2d(value, EXPAND, **NHWC)), EXPAND_BIAS))
            depthwise = relax.op.nn.conv2d(value, DEPTHWISE, padding=1, groups=8, **NHWC)
            value = emit(relax.op.add(emit(depthwise), DEPTHWISE_BIAS))
            value = emit(relax.op.add(emit(relax.op.nn.conv2d(value, PROJECT, **NHWC)), PROJECT_BIAS))
        return value

    fused = fuse_bottleneck(graph((1, 5, 7, 4), blocks))
    assert list(kinds(fused).values()) == ["bottleneck"] * 3
    assert len(fused["main"].body.blocks[0].bindings) == 3


def block(grouped: bool = False, bias: Any = DEPTHWISE_BIAS, bound: Any = HIGH, twice: bool = False) -> Any:
    """Expand, depthwise, project; as a bottleneck has them, or not."""

    def build(emit: Any, x: Any) -> Any:
        e0 = emit(relax.op.add(emit(relax.op.nn.conv2d(x, EXPAND, **NHWC)), EXPAND_BIAS))
        weight, groups = (GROUPED, 4) if grouped else (DEPTHWISE, 8)
        d0 = emit(relax.op.add(emit(relax.op.nn.conv2d(e0, weight, padding=1, groups=groups, **NHWC)), bias))
        d1 = emit(relax.op.minimum(emit(relax.op.maximum(d0, LOW)), bound))
        p0 = emit(relax.op.add(emit(relax.op.nn.conv2d(d1, PROJECT, **NHWC)), PROJECT_BIAS))
        return relax.Tuple([p0, d0]) if twice else p0

    return graph((1, 5, 7, 4), build)


def is_untouched(module: Any) -> bool:
    return not kinds(fuse_bottleneck(module))


def test_what_is_not_a_bottleneck_stays() -> None:
    assert not is_untouched(block())
    assert is_untouched(block(grouped=True, bias=GROUPED_BIAS))
    assert is_untouched(block(twice=True))


def test_a_bias_per_pixel_or_a_bound_per_channel_is_not_mine() -> None:
    assert is_untouched(block(bias=values(1, 5, 7, 8)))
    assert is_untouched(block(bias=relax.const(np.float32(0.5))))
    assert is_untouched(block(bound=relax.const(np.full((1, 1, 1, 8), 6, np.float32))))
