"""What a chain computes, by NumPy on whole tensors: the values that every candidate is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mnv2c.errors import CompilerError
from mnv2c.plan.chain import MATRIX_KINDS, Chain, Stage, StageKind, input_name
from mnv2c.plan.interpreter import resized_row

if TYPE_CHECKING:
    from typing import Any

Values = npt.NDArray[np.float64]


def evaluate(
    chain: Chain, inputs: Sequence[npt.NDArray[Any]], weights: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
) -> dict[str, Values]:
    """Return every stage's result, float64 [rows, columns, channels], by name; of an argmax the classes.

    ``inputs`` are [rows, columns, channels]; ``weights`` hold each stage's filter [kernel rows, kernel columns, input
    channels (1 if depthwise), outputs] and bias. CompilerError for a stage without a rule.
    """
    values = {input_name(index): value.astype(np.float64) for index, value in enumerate(inputs)}
    for stage in chain.stages:
        values[stage.name] = _clamped(stage, _stage(chain, stage, values, weights))
    return values


def _stage(chain: Chain, stage: Stage, values: Mapping[str, Values], weights: Mapping[str, Any]) -> Values:
    first = values[stage.sources[0]]
    if stage.kind is StageKind.LOAD:
        return first
    if stage.kind is StageKind.ADD:
        return first + values[stage.sources[1]]
    if stage.kind is StageKind.POOL:
        mean: Values = first.mean(axis=(0, 1), keepdims=True)
        return mean
    if stage.kind is StageKind.RESIZE:
        source = first.astype(np.float32)
        rows = [resized_row(chain, stage, source, row) for row in range(stage.shape.rows)]
        return np.stack(rows).astype(np.float64)
    if stage.kind is StageKind.ARGMAX:
        classes: Values = first.argmax(axis=-1)[:, :, None].astype(np.float64)
        return classes
    if stage.kind in MATRIX_KINDS or stage.kind is StageKind.DEPTHWISE:
        return _convolution(stage, first, *weights[stage.name])
    raise CompilerError(f"the reference has no rule for stage kind {stage.kind}")


def _convolution(stage: Stage, source: Values, taps: npt.NDArray[Any], bias: npt.NDArray[Any]) -> Values:
    seen = stage.window
    # Below and to the right there is as much padding as any window can reach, not only the stated one.
    reach = [
        extent * dilation + step for extent, dilation, step in zip(seen.kernel, seen.dilation, seen.stride, strict=True)
    ]
    pads = [(before, after + more) for (before, after), more in zip(seen.padding, reach, strict=True)]
    padded = np.pad(source, (*pads, (0, 0)))
    result = np.tile(bias.astype(np.float64), (stage.shape.rows, stage.shape.columns, 1))
    for row, column in np.ndindex(*seen.kernel):
        tap = taps[row, column].astype(np.float64)
        part = padded[
            row * seen.dilation[0] :: seen.stride[0],
            column * seen.dilation[1] :: seen.stride[1],
        ][: stage.shape.rows, : stage.shape.columns]
        result += part * tap[0] if stage.kind is StageKind.DEPTHWISE else part @ tap
    return result


def _clamped(stage: Stage, values: Values) -> Values:
    clamp = stage.activation
    return values if clamp is None else np.clip(values, clamp.low, clamp.high)
