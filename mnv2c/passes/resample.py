"""Resample a tensor along one axis by a table of taps: what no stage of a chain computes of a Resize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import te, tirx

from mnv2c.passes.base import Array, constant, shape_of
from mnv2c.passes.samples import Method, Taps, taps

MOST_UNROLLED = 8
"""Taps that are written out; more become a loop."""


def along(builder: Any, data: Any, axis: int, table: Taps) -> Any:
    """Emit the resampling of one axis of ``data`` by ``table``."""
    count = table.indices.shape[1]
    operands = [constant(table.indices)]
    if not table.is_choice:
        operands.append(constant(table.weights.astype(str(data.ty.dtype))))

    def resampled(source: Any, indices: Any, *weights: Any) -> Any:
        extents = [*source.shape[:axis], table.indices.shape[0], *source.shape[axis + 1 :]]
        tap = te.reduce_axis((0, count), "tap")

        def term(at: Sequence[Any], number: Any) -> Any:
            place = [*at]
            place[axis] = indices[at[axis], number].astype("int64")
            value = source[tuple(place)]
            return value * weights[0][at[axis], number] if weights else value

        def result(*at: Any) -> Any:
            if count > MOST_UNROLLED:
                return te.sum(term(at, tap), axis=tap)
            return sum((term(at, number) for number in range(1, count)), term(at, 0))

        return te.compute(extents, result, name="resampled")

    return builder.emit_te(resampled, data, *operands, primfunc_name_hint="resize")


def extrapolated(builder: Any, data: Any, outside: Sequence[tuple[int, Array]], value: float) -> Any:
    """Put ``value`` where an output lies beyond the image along any of these axes."""
    if not outside:
        return data
    axes = [axis for axis, _ in outside]
    marks = [constant(mask.astype(np.int32)) for _, mask in outside]

    def marked(source: Any, *masks: Any) -> Any:
        def result(*at: Any) -> Any:
            is_outside = tirx.any(*(mask[at[axis]] > 0 for axis, mask in zip(axes, masks, strict=True)))
            return tirx.Select(is_outside, tirx.const(value, source.dtype), source[at])

        return te.compute(source.shape, result, name="marked")

    return builder.emit_te(marked, data, *marks, primfunc_name_hint="resize_outside")


def bilinear(builder: Any, call: Any) -> Any:
    """Emit what a bilinear ``resize2d`` means that no chain took; TVM's own divides by zero where an extent is 1."""
    data, layout = call.args[0], str(call.attrs.layout)
    before, after = shape_of(data), shape_of(builder.normalize(call))
    method = Method(mode="linear", coordinates=str(call.attrs.coordinate_transformation_mode))
    for axis in (layout.index("H"), layout.index("W")):
        if before[axis] != after[axis]:
            table = taps(method, before[axis], after[axis], after[axis] / before[axis])
            data = along(builder, data, axis, table)
    return data
