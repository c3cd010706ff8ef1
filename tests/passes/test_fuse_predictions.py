"""What a detector predicts from one map is one function; concatenations of such results are places, not copies."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.base import bindings, is_call
from mnv2c.passes.fuse_bottleneck import fuse_bottleneck
from mnv2c.passes.fuse_predictions import fuse_predictions
from mnv2c.passes.fuse_single import fuse_single
from mnv2c.passes.lower_fallbacks import lower_fallbacks
from mnv2c.passes.place_concatenations import place_concatenations
from tests.passes.parts import DEPTHWISE, DEPTHWISE_BIAS, EXPAND, EXPAND_BIAS, HIGH, LOW, NHWC, graph, kinds, values

BOXES, BOXES_BIAS = values(4, 1, 1, 8, seed=7), values(1, 1, 1, 4, seed=8)
SCORES, SCORES_BIAS = values(6, 1, 1, 8, seed=9), values(1, 1, 1, 6, seed=10)
WIDER = values(8, 1, 1, 8, seed=12)
REGULAR = values(4, 3, 3, 8, seed=11)


def test_boxes_and_scores_of_a_map_are_one_function_and_written_where_they_belong() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 70, 4), "float32"):
            with R.dataflow():
                a0 = R.nn.conv2d(x, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                a1 = R.add(a0, DEPTHWISE_BIAS)
                a2 = R.maximum(a1, LOW)
                a3 = R.minimum(a2, HIGH)
                a4 = R.nn.conv2d(a3, BOXES, data_layout="NHWC", kernel_layout="OHWI")
                a5 = R.add(a4, BOXES_BIAS)
                a6 = R.reshape(a5, (1, 35, 4))
                b0 = R.nn.conv2d(x, REGULAR, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                b1 = R.add(b0, BOXES_BIAS)
                b2 = R.reshape(b1, (1, 35, 4))
                y = R.concat((a6, b2), axis=1)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_prediction_0(
            x: R.Tensor((1, 5, 7, 8), "float32"),
        ) -> R.Tuple(R.Tensor((1, 5, 7, 4), "float32"), R.Tensor((1, 5, 7, 4), "float32")):
            R.func_attr({"mnv2c.chain": "prediction"})
            with R.dataflow():
                a0 = R.nn.conv2d(x, DEPTHWISE, padding=1, groups=8, data_layout="NHWC", kernel_layout="OHWI")
                a1 = R.add(a0, DEPTHWISE_BIAS)
                a2 = R.maximum(a1, LOW)
                a3 = R.minimum(a2, HIGH)
                a4 = R.nn.conv2d(a3, BOXES, data_layout="NHWC", kernel_layout="OHWI")
                a5 = R.add(a4, BOXES_BIAS)
                b0 = R.nn.conv2d(x, REGULAR, padding=1, data_layout="NHWC", kernel_layout="OHWI")
                b1 = R.add(b0, BOXES_BIAS)
                R.output(a5, b1)
            return (a5, b1)

        @R.function(private=True)
        def fused_placement_1(a5: R.Tensor((1, 5, 7, 4), "float32"), b1: R.Tensor((1, 5, 7, 4), "float32")) -> R.Tensor(
            (1, 70, 4), "float32"
        ):
            R.func_attr({"mnv2c.chain": "placement"})
            with R.dataflow():
                a6 = R.reshape(a5, (1, 35, 4))
                b2 = R.reshape(b1, (1, 35, 4))
                y = R.concat((a6, b2), axis=1)
                R.output(y)
            return y

        @R.function
        def main(x: R.Tensor((1, 5, 7, 8), "float32")) -> R.Tensor((1, 70, 4), "float32"):
            cls = Expected
            with R.dataflow():
                both = cls.fused_prediction_0(x)
                a5 = both[0]
                b1 = both[1]
                y = cls.fused_placement_1(a5, b1)
                R.output(y)
            return y

    untouched = Before.clone()
    tvm.ir.assert_structural_equal(place_concatenations(fuse_predictions(Before)), Expected)
    tvm.ir.assert_structural_equal(Before, untouched)


def conv(emit: Any, source: Any, weight: Any, bias: Any, **window: Any) -> Any:
    """A convolution with its bias and ReLU6 after it."""
    summed = emit(relax.op.add(emit(relax.op.nn.conv2d(source, weight, **NHWC, **window)), bias))
    return emit(relax.op.minimum(emit(relax.op.maximum(summed, LOW)), HIGH))


def pointwise(emit: Any, source: Any, weight: Any, bias: Any) -> Any:
    return emit(relax.op.add(emit(relax.op.nn.conv2d(source, weight, **NHWC)), bias))


def separable(emit: Any, source: Any, weight: Any, bias: Any) -> Any:
    """A prediction of SSDLite."""
    return pointwise(emit, conv(emit, source, DEPTHWISE, DEPTHWISE_BIAS, padding=1, groups=8), weight, bias)


def rows(emit: Any, value: Any) -> Any:
    """The pixels of a map, one behind the other."""
    _, height, width, channels = (int(extent) for extent in value.ty.shape.values)
    return emit(relax.op.reshape(value, (1, height * width, channels)))


def fused(build: Any, shape: tuple[int, ...]) -> tuple[list[str], int]:
    """The kinds of functions that a network comes to, sorted, and how many operators fall back."""
    module = graph(shape, build)
    for phase in (fuse_predictions, fuse_bottleneck, fuse_single, place_concatenations):
        module = phase(module)
    lowered = lower_fallbacks(module)
    fallbacks = sum(is_call(binding.value, "relax.call_tir") for binding in bindings(lowered["main"]))
    return sorted(kinds(module).values()), fallbacks


def test_heads_on_a_tap_leave_its_bottleneck_whole() -> None:
    """The paper's layer 15: the block's own window reads the expansion, and so do two predictions."""

    def build(emit: Any, x: Any) -> Any:
        expanded = conv(emit, x, EXPAND, EXPAND_BIAS)
        window = conv(emit, expanded, DEPTHWISE, DEPTHWISE_BIAS, strides=2, padding=1, groups=8)
        coarse = pointwise(emit, window, WIDER, EXPAND_BIAS)
        boxes = [rows(emit, separable(emit, value, BOXES, BOXES_BIAS)) for value in (expanded, coarse)]
        scores = [rows(emit, separable(emit, value, SCORES, SCORES_BIAS)) for value in (expanded, coarse)]
        return relax.Tuple([emit(relax.op.concat(parts, axis=1)) for parts in (boxes, scores)])

    assert fused(build, (1, 5, 7, 4)) == (["bottleneck", "placement", "placement", "prediction", "prediction"], 0)


def test_the_last_map_may_have_pointwise_predictions() -> None:
    def build(emit: Any, x: Any) -> Any:
        first = rows(emit, separable(emit, x, BOXES, BOXES_BIAS))
        last = conv(emit, x, DEPTHWISE, DEPTHWISE_BIAS, strides=2, padding=1, groups=8)
        last = pointwise(emit, last, WIDER, EXPAND_BIAS)
        return emit(relax.op.concat([first, rows(emit, pointwise(emit, last, BOXES, BOXES_BIAS))], axis=1))

    assert fused(build, (1, 5, 7, 8)) == (["bottleneck", "placement", "prediction", "prediction"], 0)


def test_channels_side_by_side_are_not_one_run_of_memory() -> None:
    def build(emit: Any, x: Any) -> Any:
        parts = [pointwise(emit, x, BOXES, BOXES_BIAS), pointwise(emit, x, SCORES, SCORES_BIAS)]
        return emit(relax.op.concat(parts, axis=3))

    assert fused(build, (1, 5, 7, 8)) == (["convolution", "convolution"], 1)


def test_channels_of_a_single_pixel_are() -> None:
    def build(emit: Any, x: Any) -> Any:
        parts = [pointwise(emit, x, BOXES, BOXES_BIAS), pointwise(emit, x, SCORES, SCORES_BIAS)]
        return emit(relax.op.concat(parts, axis=3))

    assert fused(build, (1, 1, 1, 8)) == (["placement", "prediction"], 0)


def test_what_others_read_too_or_no_chain_makes_is_copied() -> None:
    def shared(emit: Any, x: Any) -> Any:
        first = rows(emit, pointwise(emit, x, BOXES, BOXES_BIAS))
        second = rows(emit, separable(emit, x, BOXES, BOXES_BIAS))
        return relax.Tuple([emit(relax.op.concat([first, second], axis=1)), first])

    def foreign(emit: Any, x: Any) -> Any:
        first = rows(emit, emit(relax.op.exp(pointwise(emit, x, BOXES, BOXES_BIAS))))
        second = rows(emit, separable(emit, x, BOXES, BOXES_BIAS))
        return emit(relax.op.concat([first, second], axis=1))

    for build, copied in ((shared, 1), (foreign, 2)):
        found, fallbacks = fused(build, (1, 5, 7, 8))
        assert "placement" not in found
        assert fallbacks == copied
