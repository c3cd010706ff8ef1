"""ONNX operators that TVM's importer would convert to a form that no pass matches, converted to the form they do match.

A converter gets the block builder, the operands (None where one is left out) and the attributes, and returns a Relax
expression. Operators that are not in ``CONVERTERS`` go TVM's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from tvm import relax
from tvm.ir import GenericConst

Converter = Callable[[Any, list[Any], Mapping[str, Any]], Any]


def _clip(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    # TVM converts Clip to isnan + where + call_tir for NaN bounds, which no pattern matches; and relax.clip has no
    # layout rule, so that ConvertLayout would put transposes around it. maximum and minimum have neither fault.
    # The bounds are inputs since opset 11, attributes before.
    value, *bounds = inputs
    low, high = [*bounds, None, None][:2]
    if not bounds:
        given = {key: relax.const(attributes[key], value.ty.dtype) for key in ("min", "max") if key in attributes}
        low, high = given.get("min"), given.get("max")
    if low is not None:
        value = builder.emit(relax.op.maximum(value, low))
    if high is not None:
        value = builder.normalize(relax.op.minimum(value, high))
    return value


def _relu(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """A clamp without an upper bound."""
    return relax.op.maximum(inputs[0], relax.const(0, inputs[0].ty.dtype))


def _sign(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The sign of NaN is NaN; TVM's is 0."""
    value = inputs[0]
    if not str(value.ty.dtype).startswith("float"):
        return None
    unknown, sign = builder.emit(relax.op.isnan(value)), builder.emit(relax.op.sign(value))
    return relax.op.where(unknown, value, sign)


def _pairwise(operator: Callable[[Any, Any], Any]) -> Converter:
    # TVM stacks the operands and reduces.
    def convert(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
        operands = [value for value in inputs if value is not None]
        return reduce(lambda left, right: builder.normalize(operator(left, right)), operands)

    return convert


def _gemm(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """``alpha · A · B + beta · C``; the factors are multiplied into constants at once."""
    left, right, bias = [*inputs, None][:3]
    if attributes.get("transA"):
        left = builder.normalize(relax.op.permute_dims(left, [1, 0]))
    if attributes.get("transB"):
        right = _transposed(builder, right)
    right = _scaled(builder, right, float(attributes.get("alpha", 1.0)))
    product = builder.normalize(relax.op.matmul(left, right))
    if bias is None:
        return product
    return relax.op.add(builder.emit(product), _scaled(builder, bias, float(attributes.get("beta", 1.0))))


def _transposed(builder: Any, value: Any) -> Any:
    if isinstance(value, GenericConst):
        return relax.const(np.ascontiguousarray(value.value.numpy().T))
    return builder.normalize(relax.op.permute_dims(value, [1, 0]))


def _scaled(builder: Any, value: Any, factor: float) -> Any:
    if factor == 1.0:
        return value
    if isinstance(value, GenericConst):
        array = value.value.numpy()
        return relax.const((array * factor).astype(array.dtype))
    return builder.normalize(relax.op.multiply(value, relax.const(factor, value.ty.dtype)))


def _pad(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """A pad with a constant as ``relax.nn.pad``, which `passes.fold_padding` understands; None for any other."""
    if attributes.get("mode", b"constant") != b"constant":
        return None
    value, pads, fill, axes = [*inputs, None, None, None][:4]
    rank = len(value.ty.shape)
    widths = attributes.get("pads") if pads is None else _integers(pads)
    chosen = list(range(rank)) if axes is None else _integers(axes)
    if widths is None or chosen is None or len(widths) != 2 * len(chosen) or min(widths, default=0) < 0:
        return None
    filled = float(attributes.get("value", 0.0)) if fill is None else _number(fill)
    if filled is None or not all(-rank <= axis < rank for axis in chosen):
        return None
    both = [0] * (2 * rank)
    for index, axis in enumerate(chosen):
        both[2 * (axis % rank)], both[2 * (axis % rank) + 1] = int(widths[index]), int(widths[index + len(chosen)])
    return relax.op.nn.pad(value, both, "constant", filled)


def _integers(value: Any) -> list[int] | None:
    return [int(entry) for entry in value.value.numpy().ravel()] if isinstance(value, GenericConst) else None


def _number(value: Any) -> float | None:
    return float(value.value.numpy().reshape(-1)[0]) if isinstance(value, GenericConst) else None


def _same(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The operand itself: TVM's Dropout is a tuple."""
    return inputs[0]


CONVERTERS: dict[str, Converter] = {
    "Clip": _clip,
    "Dropout": _same,
    "Relu": _relu,
    "Sign": _sign,
    "Max": _pairwise(relax.op.maximum),
    "Min": _pairwise(relax.op.minimum),
    "Gemm": _gemm,
    "Pad": _pad,
}
