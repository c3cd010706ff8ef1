"""The plainest reference: every tensor whole, in float64, one output pixel at a time. No rows, rings or steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mnv2c.plan.chain import Chain, Stage, StageKind, input_name
from mnv2c.verification import tolerance

Array = np.ndarray[Any, Any]


def evaluate(chain: Chain, inputs: Sequence[Array], weights: Mapping[str, tuple[Array, Array]]) -> dict[str, Array]:
    """Return every stage's result [rows, columns, channels] by name."""
    values = {input_name(index): value.astype(np.float64) for index, value in enumerate(inputs)}
    for stage in chain.stages:
        values[stage.name] = _stage(stage, [values[source] for source in stage.sources], weights)
    return values


def _stage(stage: Stage, sources: list[Array], weights: Mapping[str, tuple[Array, Array]]) -> Array:
    if stage.kind is StageKind.LOAD:
        result = sources[0]
    elif stage.kind is StageKind.ADD:
        result = sources[0] + sources[1]
    elif stage.kind is StageKind.RESIZE:
        result = _resize(stage, sources[0])
    elif stage.kind is StageKind.ARGMAX:
        result = sources[0].argmax(axis=-1)[:, :, None]
    elif stage.kind is StageKind.POOL:
        result = sources[0].mean(axis=(0, 1), keepdims=True)
    else:
        result = _convolve(stage, sources[0], *weights[stage.name])
    clamp = stage.activation
    return result if clamp is None else np.clip(result, clamp.low, clamp.high)


def error(chain: Chain, name: str, result: Array, values: Mapping[str, Array]) -> float:
    """How far a stage's result is from ``values``, those of `evaluate`; classes by the scores they come from."""
    stage = chain.stage(name)
    if stage.kind is StageKind.ARGMAX:
        scores = values[stage.sources[0]]
        return tolerance.mask_error(result, values[name], scores.reshape(-1, scores.shape[-1]))
    return tolerance.relative_error(result, values[name])


def _resize(stage: Stage, source: Array) -> Array:
    """One axis after the other, by the formulas of ONNX's operator Resize, in exact fractions."""
    for axis, results in enumerate((stage.shape.rows, stage.shape.columns)):
        source = np.stack([_between(stage, source, axis, result, results) for result in range(results)], axis)
    return source


def _between(stage: Stage, source: Array, axis: int, result: int, results: int) -> Array:
    extent = source.shape[axis]
    if stage.coordinates == "align_corners":
        place = Fraction(result * (extent - 1), results - 1) if results > 1 else Fraction(0)
    elif stage.coordinates == "half_pixel":
        place = (Fraction(result) + Fraction(1, 2)) * extent / results - Fraction(1, 2)
    else:
        place = Fraction(result * extent, results)
    place = min(max(place, Fraction(0)), Fraction(extent - 1))
    low = int(place)
    share = float(place - low)
    return source.take(low, axis) * (1 - share) + source.take(min(low + 1, extent - 1), axis) * share


def _convolve(stage: Stage, source: Array, taps: Array, bias: Array) -> Array:
    seen = stage.window
    # The lower and right margins are as wide as any window can reach, not only the stated padding.
    margin = [extent * dilation for extent, dilation in zip(seen.kernel, seen.dilation, strict=True)]
    pads = [(before, after + more) for (before, after), more in zip(seen.padding, margin, strict=True)]
    padded = np.pad(source, (*pads, (0, 0)))
    result = np.empty((stage.shape.rows, stage.shape.columns, stage.shape.channels))
    for row, column in np.ndindex(stage.shape.rows, stage.shape.columns):
        top, left = row * seen.stride[0], column * seen.stride[1]
        rows = slice(top, top + (seen.kernel[0] - 1) * seen.dilation[0] + 1, seen.dilation[0])
        columns = slice(left, left + (seen.kernel[1] - 1) * seen.dilation[1] + 1, seen.dilation[1])
        part = padded[rows, columns]
        if stage.kind is StageKind.DEPTHWISE:
            result[row, column] = np.einsum("yxc,yxc->c", part, taps[:, :, 0]) + bias
        else:
            result[row, column] = np.einsum("yxi,yxio->o", part, taps) + bias
    return result
