"""The plainest reference: every tensor whole, in float64, one output pixel at a time. No rows, rings or steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnv2c.plan.chain import Chain, Stage, StageKind, input_name

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
    elif stage.kind is StageKind.POOL:
        result = sources[0].mean(axis=(0, 1), keepdims=True)
    else:
        result = _convolve(stage, sources[0], *weights[stage.name])
    clamp = stage.activation
    return result if clamp is None else np.clip(result, clamp.low, clamp.high)


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
