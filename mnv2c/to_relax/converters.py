"""ONNX operators that TVM's importer would convert to a form that no pass matches, converted to the form they do match.

A converter gets the block builder, the operands (None where one is left out) and the attributes, among them ``opset``,
the file's own. It returns a Relax expression, or None where TVM's own converter is right. Operators that are not in
``CONVERTERS`` go TVM's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from tvm import relax
from tvm.ir import GenericConst

from mnv2c.errors import OnnxError
from mnv2c.passes.base import constant
from mnv2c.to_relax import lookups, resizes, transposed

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
    """The sign of NaN is NaN; TVM's is 0, and fails for unsigned integers, of which none is negative."""
    value = inputs[0]
    if str(value.ty.dtype).startswith("uint"):
        return relax.op.minimum(value, relax.const(1, value.ty.dtype))
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


def _mean(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """The sum of all operands divided by their number."""
    total = _pairwise(relax.op.add)(builder, inputs, attributes)
    if len(inputs) == 1:
        return total
    return relax.op.divide(builder.emit(total), relax.const(float(len(inputs)), total.ty.dtype))


def _power(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """A power whose exponent may be of another type than the base; that of integers by products."""
    base, exponent = inputs
    dtype = str(base.ty.dtype)
    if dtype.startswith("float"):
        if str(exponent.ty.dtype) == dtype:
            return None
        value = exponent.value.numpy() if isinstance(exponent, GenericConst) else None
        cast = constant(value.astype(dtype)) if value is not None else builder.emit(relax.op.astype(exponent, dtype))
        return relax.op.power(base, cast)
    number = _number(exponent) if isinstance(exponent, GenericConst) and exponent.value.numpy().size == 1 else None
    if number is None or number not in range(1, LARGEST_POWER + 1):
        raise OnnxError(f"a power of {dtype} needs a constant exponent of 1 to {LARGEST_POWER}; cast the base to float")
    return reduce(lambda left, right: builder.normalize(relax.op.multiply(left, right)), [base] * int(number))


def _equal(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Truth values are equal where not just one of them is true: LLVM compares no single bits."""
    if str(inputs[0].ty.dtype) != "bool":
        return None
    return relax.op.logical_not(builder.emit(relax.op.logical_xor(*inputs)))


def _is_infinite(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """TVM does not look at the sign that is asked for."""
    positive, negative = (bool(attributes.get(f"detect_{sign}", 1)) for sign in ("positive", "negative"))
    if positive and negative:
        return None
    bound = float("inf") if positive else float("-inf")
    if not positive and not negative:
        raise OnnxError("it detects neither positive nor negative infinity; remove it")
    return relax.op.equal(inputs[0], relax.const(bound, inputs[0].ty.dtype))


def _reduction(operator: str) -> Converter:
    """Without axes and with ``noop_with_empty_axes`` nothing is reduced, but the rest of the operator is done."""

    def convert(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
        value, axes = [*inputs, None][:2]
        given = attributes.get("axes") if axes is None else _integers(axes)
        if axes is not None and given is None:
            raise OnnxError("its axes are computed while the network runs; export it with constant ones")
        if operator == "ReduceMean" and not str(value.ty.dtype).startswith("float"):
            raise OnnxError(f"the mean of {value.ty.dtype} is not supported; cast it to float32 before")
        if given or not attributes.get("noop_with_empty_axes", 0):
            return None
        alone = {"ReduceL1": relax.op.abs, "ReduceL2": relax.op.abs, "ReduceLogSum": relax.op.log}
        if operator == "ReduceSumSquare":
            return relax.op.multiply(value, value)
        return alone[operator](value) if operator in alone else value

    return convert


def _batch_norm(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """One in training mode normalises by the image's own mean and variance; any other TVM converts."""
    if not int(attributes.get("spatial", 1)):
        raise OnnxError("it has statistics per pixel (spatial = 0), which is not supported; export with spatial = 1")
    if not int(attributes.get("training_mode", 0)):
        return None
    image, scale, bias = inputs[:3]
    rank = len(image.ty.shape)
    shape = [1, -1, *[1] * (rank - 2)]
    normalised = _normalised(builder, image, [axis for axis in range(rank) if axis != 1], attributes)
    scaled = builder.emit(relax.op.multiply(normalised, builder.normalize(relax.op.reshape(scale, shape))))
    return relax.op.add(scaled, builder.normalize(relax.op.reshape(bias, shape)))


def _layer_norm(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """One over several axes by elementary operators: a change of layout would not turn its scale and bias."""
    image, scale, bias = [*inputs, None][:3]
    rank = len(image.ty.shape)
    axes = list(range(int(attributes.get("axis", -1)) % rank, rank))
    if len(axes) == 1:
        return None
    scaled = relax.op.multiply(_normalised(builder, image, axes, attributes), scale)
    return scaled if bias is None else relax.op.add(builder.emit(scaled), bias)


def _normalised(builder: Any, image: Any, axes: list[int], attributes: Mapping[str, Any]) -> Any:
    """The image less its mean over ``axes``, divided by the standard deviation."""

    def mean(value: Any) -> Any:
        return builder.emit(relax.op.mean(value, axes, keepdims=True))

    centred = builder.emit(relax.op.subtract(image, mean(image)))
    variance = mean(builder.emit(relax.op.multiply(centred, centred)))
    epsilon = relax.const(float(attributes.get("epsilon", 1e-5)), image.ty.dtype)
    deviation = builder.emit(relax.op.sqrt(builder.emit(relax.op.add(variance, epsilon))))
    return builder.emit(relax.op.divide(centred, deviation))


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
        return constant(value.value.numpy().T)
    return builder.normalize(relax.op.permute_dims(value, [1, 0]))


def _scaled(builder: Any, value: Any, factor: float) -> Any:
    if factor == 1.0:
        return value
    if isinstance(value, GenericConst):
        array = value.value.numpy()
        return constant((array * factor).astype(array.dtype))
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


LARGEST_POWER = 8
"""Exponent of integers, which are multiplied so often."""

REDUCTIONS = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)

CONVERTERS: dict[str, Converter] = {
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "ConvTranspose": transposed.conv_transpose,
    "Dropout": _same,
    "Equal": _equal,
    "Gather": lookups.gather,
    "IsInf": _is_infinite,
    "LayerNormalization": _layer_norm,
    "Mean": _mean,
    "Pow": _power,
    **{name: _reduction(name) for name in REDUCTIONS},
    "Relu": _relu,
    "Resize": resizes.resize,
    "Shape": lookups.shape,
    "Sign": _sign,
    "Size": lookups.size,
    "Slice": lookups.slice_,
    "Split": lookups.split,
    "Sum": _pairwise(relax.op.add),
    "TopK": lookups.top_k,
    "Upsample": resizes.upsample,
    "Max": _pairwise(relax.op.maximum),
    "Min": _pairwise(relax.op.minimum),
    "Gemm": _gemm,
    "Pad": _pad,
}
