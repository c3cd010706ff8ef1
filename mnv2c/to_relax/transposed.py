"""ConvTranspose as a convolution of the image with zeros between its pixels, which chains compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tvm import relax, topi
from tvm.ir import GenericConst

from mnv2c.errors import OnnxError
from mnv2c.to_relax.lookups import extents_of

OPERATORS = {1: relax.op.nn.conv1d, 2: relax.op.nn.conv2d, 3: relax.op.nn.conv3d}


def conv_transpose(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Convert a ConvTranspose with constant weights; OnnxError for others."""
    data, weights, bias = [*inputs, None][:3]
    if not isinstance(weights, GenericConst):
        raise OnnxError("its weights are computed while the network runs; export it with constant ones")
    taps, groups = weights.value.numpy(), int(attributes.get("group", 1))
    dimensions = taps.ndim - 2
    if dimensions not in OPERATORS:
        raise OnnxError(f"it has {dimensions} spatial dimensions; 1 to 3 are supported")
    strides = [int(stride) for stride in attributes.get("strides", [1] * dimensions)]
    dilations = [int(step) for step in attributes.get("dilations", [1] * dimensions)]
    windows = [step * (extent - 1) + 1 for step, extent in zip(dilations, taps.shape[2:], strict=True)]
    before, after = _margins(attributes, extents_of(data)[2:], strides, windows)
    apart = data
    if max(strides) > 1:
        apart = builder.emit_te(topi.nn.dilate, data, [1, 1, *strides], primfunc_name_hint="spread")
    apart, before, after = _cropped(builder, apart, before, after)
    product = OPERATORS[dimensions](
        apart, relax.const(_turned(taps, groups)), padding=[*before, *after], dilation=dilations, groups=groups
    )
    if bias is None:
        return product
    each = builder.normalize(relax.op.reshape(bias, [1, -1, *[1] * dimensions]))
    return relax.op.add(builder.emit(product), each)


def _turned(taps: Any, groups: int) -> Any:
    """Weights [inputs, outputs per group, ...] as [outputs, inputs per group, ...], turned around."""
    inputs, outputs, *window = taps.shape
    parted = taps.reshape(groups, inputs // groups, outputs, *window).swapaxes(1, 2)
    turned = parted.reshape(groups * outputs, inputs // groups, *window)
    return np.ascontiguousarray(np.flip(turned, tuple(range(2, turned.ndim))))


def _margins(
    attributes: Mapping[str, Any], image: list[int], strides: list[int], windows: list[int]
) -> tuple[list[int], list[int]]:
    """How far the convolution reaches beyond the spread image on either side; negative where it is cropped."""
    dimensions = len(image)
    more = [int(extent) for extent in attributes.get("output_padding", [0] * dimensions)]
    pads = [int(pad) for pad in attributes.get("pads", [0] * 2 * dimensions)]
    auto = bytes(attributes.get("auto_pad", b"NOTSET"))
    shape = [int(extent) for extent in attributes.get("output_shape", [])][-dimensions:]
    same = auto in (b"SAME_UPPER", b"SAME_LOWER")
    if shape or same:
        shape = shape or [extent * stride for extent, stride in zip(image, strides, strict=True)]
        each = zip(image, strides, windows, more, shape, strict=True)
        totals = [(extent - 1) * stride + add + window - wanted for extent, stride, window, add, wanted in each]
        totals = [max(total, 0) for total in totals] if not attributes.get("output_shape") else totals
        small = [total // 2 for total in totals]
        rest = [total - half for total, half in zip(totals, small, strict=True)]
        pads = [*small, *rest] if auto == b"SAME_UPPER" else [*rest, *small]
    elif auto == b"VALID":
        pads = [0] * 2 * dimensions
    first, last = pads[:dimensions], pads[dimensions:]
    before = [window - 1 - pad for window, pad in zip(windows, first, strict=True)]
    after = [window - 1 - pad + add for window, pad, add in zip(windows, last, more, strict=True)]
    return before, after


def _cropped(builder: Any, image: Any, before: list[int], after: list[int]) -> tuple[Any, list[int], list[int]]:
    """Cut off what negative margins say, since a convolution pads only."""
    axes = [index for index, pair in enumerate(zip(before, after, strict=True)) if min(pair) < 0]
    if axes:
        extents = extents_of(image)[2:]
        starts = [max(-before[axis], 0) for axis in axes]
        ends = [extents[axis] - max(-after[axis], 0) for axis in axes]
        if any(start >= end for start, end in zip(starts, ends, strict=True)):
            raise OnnxError("its pads leave nothing of the image")
        image = builder.emit(relax.op.strided_slice(image, [axis + 2 for axis in axes], starts, ends))
    return image, [max(margin, 0) for margin in before], [max(margin, 0) for margin in after]
