"""Operators that cut, look up and sort: Gather, Slice, Split, TopK, Shape and Size."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from tvm import relax, te, tirx
from tvm.ir import GenericConst

from mnv2c.errors import OnnxError


def extents_of(value: Any) -> list[int]:
    """The static shape of an operand."""
    return [int(extent) for extent in value.ty.shape.values]


def gather(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """``take`` along an axis; constant indices are made positive at once, others when they are known.

    An index beyond the axis, which onnxruntime refuses at run time, reads the last element: nothing else is read.
    """
    data, indices = inputs
    axis = int(attributes.get("axis", 0)) % len(data.ty.shape)
    extent = extents_of(data)[axis]
    if isinstance(indices, GenericConst):
        numbers = indices.value.numpy()
        if numbers.size and not (-extent <= int(numbers.min()) and int(numbers.max()) < extent):
            raise OnnxError(f"an index is beyond the extent {extent} of axis {axis}")
        # An index array of rank 0 is kept by `take` as such: the axis goes.
        return relax.op.take(data, relax.const(np.where(numbers < 0, numbers + extent, numbers)), axis)
    dtype = str(indices.ty.dtype)
    negative = builder.normalize(relax.op.less(indices, relax.const(0, dtype)))
    wrapped = builder.normalize(relax.op.add(indices, relax.const(extent, dtype)))
    indices = builder.emit(relax.op.where(negative, wrapped, indices))
    return relax.op.take(data, indices, axis, mode="clip")


def slice_(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """A Slice whose bounds are attributes, as before opset 10; None for a later one, which TVM converts."""
    if int(attributes["opset"]) >= 10:
        return None
    starts, ends = list(attributes["starts"]), list(attributes["ends"])
    axes = [int(axis) for axis in attributes.get("axes", range(len(starts)))]
    return relax.op.strided_slice(inputs[0], axes, starts, ends)


def split(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Cut into parts; where one is empty or is all, by slices, since TVM's split takes neither."""
    data, sizes = [*inputs, None][:2]
    axis = int(attributes.get("axis", 0)) % len(data.ty.shape)
    extent, count = extents_of(data)[axis], int(attributes["tvm_custom"]["num_outputs"])
    if sizes is not None and not isinstance(sizes, GenericConst):
        raise OnnxError("the sizes of its parts are computed while the network runs; export it with constants")
    if sizes is not None:
        parts = [int(size) for size in sizes.value.numpy()]
    else:
        each = -(-extent // count)
        parts = [int(size) for size in attributes.get("split", ())] or [
            max(min(each, extent - each * index), 0) for index in range(count)
        ]
    if sum(parts) != extent or len(parts) != count or min(parts) < 0:
        raise OnnxError(f"its parts {parts} do not make up the extent {extent} of axis {axis}")
    if count == 1:
        return data
    ends = [sum(parts[: index + 1]) for index in range(count)]
    if min(parts) > 0:
        return relax.op.split(data, ends[:-1], axis)
    slices = [
        builder.emit(relax.op.strided_slice(data, [axis], [end - part], [end]))
        for part, end in zip(parts, ends, strict=True)
    ]
    return relax.Tuple(slices)


def shape(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The extents as a constant."""
    extents = extents_of(inputs[0])
    rank = len(extents)
    start, end = (int(attributes.get(name, default)) for name, default in (("start", 0), ("end", rank)))
    return relax.const(np.array(extents[slice(*slice(start, end).indices(rank))], np.int64), "int64")


def size(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The number of elements as a constant."""
    return relax.const(np.array(prod(extents_of(inputs[0])), np.int64), "int64")


def top_k(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The k largest or smallest elements, in order, and their indices; of equal ones the first comes first.

    TVM's own lowering sorts with its run-time library. Here every element counts those before it in the order, and
    result r is the element that counted r: quadratic in the axis, without memory beyond one number per element.
    """
    data = inputs[0]
    axis = int(attributes.get("axis", -1)) % len(data.ty.shape)
    extent = extents_of(data)[axis]
    given = inputs[1] if len(inputs) > 1 else relax.const(int(attributes["k"]), "int64")
    if not isinstance(given, GenericConst):
        raise OnnxError("its k is computed while the network runs; export it with a constant")
    if not int(attributes.get("sorted", 1)):
        raise OnnxError("the order of its results is open (sorted = 0); export it with sorted = 1")
    count, largest = int(given.value.numpy().reshape(-1)[0]), bool(attributes.get("largest", 1))
    if not 1 <= count <= extent:
        raise OnnxError(f"its k is {count}; axis {axis} has {extent} elements")
    return builder.emit_te(lambda source: _ordered(source, axis, count, largest), data, primfunc_name_hint="top_k")


def _ordered(source: Any, axis: int, count: int, largest: bool) -> list[Any]:
    """Return the values and their indices, as tensor expressions."""
    extent = source.shape[axis]

    def moved(at: Any, place: Any) -> tuple[Any, ...]:
        return (*at[:axis], place, *at[axis + 1 :])

    other = te.reduce_axis((0, extent), "other")

    def earlier(*at: Any) -> Any:
        here, there = source[at], source[moved(at, other)]
        better = there > here if largest else there < here
        first = tirx.any(better, tirx.all(there == here, other < at[axis]))
        return te.sum(tirx.Select(first, tirx.const(1, "int32"), tirx.const(0, "int32")), axis=other)

    ranks = te.compute(source.shape, earlier, name="ranks")
    element = te.reduce_axis((0, extent), "element")
    extents = [*source.shape[:axis], count, *source.shape[axis + 1 :]]

    def index(*at: Any) -> Any:
        mine = ranks[moved(at, element)] == at[axis].astype("int32")
        return te.sum(tirx.Select(mine, element.astype("int64"), tirx.const(0, "int64")), axis=element)

    indices = te.compute(extents, index, name="indices")
    values = te.compute(extents, lambda *at: source[moved(at, indices[at])], name="values")
    return [values, indices]
