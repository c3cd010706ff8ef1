"""What segmenters need: pixels spread over an image, split concatenations, branches, resizes and masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.base import bindings
from mnv2c.passes.fuse_branch import fuse_branch
from mnv2c.passes.fuse_resize import fuse_resize
from mnv2c.passes.split_concats import split_concats
from mnv2c.passes.spread_pixels import spread_pixels
from tests.passes.parts import HIGH, LOW, NHWC, graph, kinds, values

JOINED, JOINED_BIAS = values(6, 1, 1, 7), values(1, 1, 1, 6, seed=1)
WIDE, WIDE_BIAS = values(4, 3, 3, 4), values(1, 1, 1, 4, seed=2)
PART, PART_BIAS = values(4, 1, 1, 4), values(1, 1, 1, 4, seed=3)


def sliced(first: int, end: int) -> Any:
    """Part of the joined filter, as a constant."""
    return relax.const(JOINED.value.numpy()[..., first:end].copy())


ZEROS = relax.const(np.zeros((1, 1, 1, 6), np.float32))
FIRST, SECOND = sliced(0, 4), sliced(4, 7)


def test_a_convolution_of_concatenated_channels_is_a_sum() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32"), z: R.Tensor((1, 5, 7, 3), "float32")) -> R.Tensor(
            (1, 5, 7, 6), "float32"
        ):
            with R.dataflow():
                joined = R.concat((x, z), axis=3)
                a = R.nn.conv2d(joined, JOINED, data_layout="NHWC", kernel_layout="OHWI")
                y = R.add(a, JOINED_BIAS)
                R.output(y)
            return y

    @I.ir_module
    class Expected:
        @R.function
        def main(x: R.Tensor((1, 5, 7, 4), "float32"), z: R.Tensor((1, 5, 7, 3), "float32")) -> R.Tensor(
            (1, 5, 7, 6), "float32"
        ):
            with R.dataflow():
                a = R.nn.conv2d(x, FIRST, data_layout="NHWC", kernel_layout="OHWI")
                b = R.add(a, JOINED_BIAS)
                c = R.nn.conv2d(z, SECOND, data_layout="NHWC", kernel_layout="OHWI")
                d = R.add(c, ZEROS)
                y = R.add(d, b)
                R.output(y)
            return y

    tvm.ir.assert_structural_equal(split_concats(Before), Expected)


def test_a_spread_pixel_is_convolved_as_a_pixel_and_comes_first() -> None:
    def build(emit: Any, x: Any) -> Any:
        pixel = emit(relax.op.mean(x, [1, 2], keepdims=True))
        spread = emit(relax.op.image.resize2d(pixel, (5, 7), layout="NHWC", method="linear"))
        part = emit(relax.op.strided_slice(x, axes=[3], begin=[0], end=[3]))
        joined = emit(relax.op.concat((spread, part), axis=3))
        return relax.op.add(emit(relax.op.nn.conv2d(joined, JOINED, **NHWC)), JOINED_BIAS)

    module = split_concats(graph((1, 5, 7, 4), build))
    calls = [binding.value for binding in bindings(module["main"]) if hasattr(binding.value, "op")]
    names = [call.op.name for call in calls]
    assert "relax.image.resize2d" not in names and "relax.concat" not in names
    products = [call for call in calls if call.op.name == "relax.nn.conv2d"]
    assert [tuple(map(int, call.ty.shape.values)) for call in products] == [(1, 1, 1, 6), (1, 5, 7, 6)]


@pytest.mark.parametrize("axis", [1, 2])
def test_other_concatenations_stay(axis: int) -> None:
    def build(emit: Any, x: Any) -> Any:
        joined = emit(relax.op.concat((x, x), axis=axis))
        return relax.op.add(emit(relax.op.nn.conv2d(joined, PART, **NHWC)), PART_BIAS)

    before = graph((1, 5, 7, 4), build)
    tvm.ir.assert_structural_equal(split_concats(before), before)


def test_a_pixel_may_be_spread_in_many_ways() -> None:
    shape = (1, 4, 5, 7)
    ways = [
        lambda pixel: relax.op.broadcast_to(pixel, shape),
        lambda pixel: relax.op.image.resize2d(pixel, (5, 7), layout="NCHW", method="nearest_neighbor"),
        lambda pixel: relax.op.image.resize2d(
            pixel, (5, 7), layout="NCHW", method="linear", coordinate_transformation_mode="align_corners"
        ),
    ]
    found = [spread_pixels(graph((1, 4, 1, 1), lambda emit, x, way=way: way(x))) for way in ways]
    for module in found[1:]:
        tvm.ir.assert_structural_equal(module, found[0])
    (spread,) = (binding.value for binding in bindings(found[0]["main"]) if hasattr(binding.value, "op"))
    assert spread.op.name == "relax.image.resize2d" and spread.attrs.method == "linear"


def test_a_row_is_no_pixel() -> None:
    before = graph((1, 4, 1, 7), lambda emit, x: relax.op.broadcast_to(x, (1, 4, 5, 7)))
    tvm.ir.assert_structural_equal(spread_pixels(before), before)


def branch(emit: Any, x: Any, *, twice: bool = False) -> Any:
    """A dilated convolution, its projection, and the sum with x, clamped."""
    a = emit(relax.op.nn.conv2d(x, WIDE, padding=[2, 2, 2, 2], dilation=[2, 2], **NHWC))
    b = emit(relax.op.maximum(emit(relax.op.add(a, WIDE_BIAS)), LOW))
    c = emit(relax.op.add(emit(relax.op.nn.conv2d(b, PART, **NHWC)), PART_BIAS))
    total = emit(relax.op.add(c, x))
    if twice:
        return relax.op.add(total, b)
    return relax.op.minimum(emit(relax.op.maximum(total, LOW)), HIGH)


def test_a_branch_is_one_function_and_what_it_adds_to_comes_first() -> None:
    module = fuse_branch(graph((1, 5, 7, 4), branch))
    assert list(kinds(module).values()) == ["branch"]
    assert len(bindings(module["main"])) == 1


def test_what_others_read_is_no_part_of_a_branch() -> None:
    module = fuse_branch(graph((1, 5, 7, 4), lambda emit, x: branch(emit, x, twice=True)))
    assert list(kinds(module).values()) == ["branch"]
    names = [binding.value.op.name for binding in bindings(module["main"]) if hasattr(binding.value.op, "name")]
    assert "relax.nn.conv2d" in names  # the dilated one, which another sum reads


def logits(emit: Any, x: Any, mode: str = "align_corners") -> Any:
    return emit(
        relax.op.image.resize2d(x, (17, 25), layout="NHWC", method="linear", coordinate_transformation_mode=mode)
    )


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("cast", ["", "uint8", "int32"])
def test_a_resize_and_its_argmax_are_one_function(turned: bool, cast: str) -> None:
    def build(emit: Any, x: Any) -> Any:
        scores = logits(emit, x)
        if turned:
            scores = emit(relax.op.permute_dims(scores, [0, 3, 1, 2]))
        classes = emit(relax.op.argmax(scores, axis=1 if turned else -1, keepdims=False))
        return relax.op.astype(classes, cast) if cast else classes

    module = fuse_resize(graph((1, 5, 7, 4), build))
    assert list(kinds(module).values()) == ["mask"]
    (call,) = bindings(module["main"])
    assert str(call.var.ty.dtype) == (cast or "int64")


def test_a_resize_that_others_read_stands_alone() -> None:
    def build(emit: Any, x: Any) -> Any:
        scores = logits(emit, x, "half_pixel")
        classes = emit(relax.op.astype(emit(relax.op.argmax(scores, axis=3, keepdims=True)), "float32"))
        return relax.op.add(scores, classes)

    assert sorted(kinds(fuse_resize(graph((1, 5, 7, 4), build))).values()) == ["mask", "resize"]


@pytest.mark.parametrize(
    "options",
    [{"method": "cubic"}, {"method": "linear", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}],
    ids=["cubic", "coordinates"],
)
def test_another_resize_falls_back(options: dict[str, str]) -> None:
    module = fuse_resize(
        graph((1, 5, 7, 4), lambda emit, x: relax.op.image.resize2d(x, (9, 9), layout="NHWC", **options))
    )
    assert kinds(module) == {}


@pytest.mark.parametrize("axis", [1, 2])
def test_an_argmax_over_rows_or_columns_falls_back(axis: int) -> None:
    module = fuse_resize(graph((1, 5, 7, 4), lambda emit, x: relax.op.argmax(x, axis=axis)))
    assert kinds(module) == {}
