"""The reference interpreter: a NumPy walk over a chain in exactly the row order of its kernel.

It keeps only the rows that `rows.flow` says a ring keeps and fails when a needed row is gone, so a wrong row plan is
found before any kernel is built. Slow and simple on purpose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mnv2c.errors import CompilerError
from mnv2c.plan.chain import MATRIX_KINDS, Chain, Stage, StageKind, is_added_pixel
from mnv2c.plan.rows import Nest, flow, nest

Array = npt.NDArray[np.float32]
Weights = Mapping[str, tuple[Array, Array]]
"""Per stage: the filter [kernel rows, kernel columns, input channels (1 if depthwise), outputs] and the bias."""


class _Ring:
    """Rows of one stage; only the newest ``keep`` stay."""

    def __init__(self, stage: Stage, keep: int) -> None:
        self.stage, self.keep = stage, keep
        self.rows: dict[int, Array] = {}

    def put(self, row: int, values: Array) -> None:
        self.rows[row] = values
        self.rows.pop(row - self.keep, None)

    def get(self, row: int) -> Array:
        shape = self.stage.shape
        if not 0 <= row < shape.rows:
            return np.zeros((shape.columns, shape.channels), np.float32)
        if row not in self.rows:
            raise CompilerError(f"row {row} of stage {self.stage.name} is not in its ring of {self.keep} rows")
        return self.rows[row]


def interpret(
    chain: Chain, rows_per_step: int, inputs: Sequence[Array], weights: Weights, again: Collection[str] = ()
) -> list[Array]:
    """Run ``chain`` on inputs [rows, columns, channels]; return its outputs in order, laid out the same."""
    plan = flow(chain, rows_per_step, again)
    rings = {stage.name: _Ring(stage, plan.stages[stage.name].ring) for stage in chain.stages}
    results = {name: np.zeros(_extents(chain.stage(name)), chain.stage(name).dtype) for name in chain.outputs}

    def row_of(source: str, row: int) -> Array:
        if source in rings:
            return rings[source].get(row)
        tensor = inputs[int(source.removeprefix("input_"))]
        if is_added_pixel(chain, source):
            row_of_pixel: Array = tensor[0]
            return row_of_pixel
        return tensor[row] if 0 <= row < len(tensor) else np.zeros_like(tensor[0])

    def run(loop: Nest, before: int) -> None:
        for trip in range(loop.trips):
            for part in loop.body:
                if isinstance(part, Nest):
                    run(part, before * loop.trips + trip)
                else:
                    run_pass(chain.stage(part), before * loop.trips + trip)

    def run_pass(stage: Stage, number: int) -> None:
        rows = plan.stages[stage.name]
        for row in range(rows.advance * number + rows.lead, rows.advance * number + rows.lead + rows.rows):
            if not 0 <= row < stage.shape.rows:
                continue
            if stage.kind is StageKind.RESIZE:
                keep(stage, row, resized_row(chain, stage, inputs[int(stage.sources[0][6:])], row))
                continue
            low, high = stage.window.rows_needed(row, row + 1)
            seen = [row_of(stage.sources[0], source_row) for source_row in range(low, high)]
            others = [row_of(source, row) for source in stage.sources[1:]]
            keep(stage, row, _compute_row(stage, seen, others, weights))

    def keep(stage: Stage, row: int, values: Array) -> None:
        rings[stage.name].put(row, values)
        if stage.name in results:
            results[stage.name][row] = values

    steps = nest([stage.name for stage in chain.stages], plan)
    for step in range(plan.first_step, plan.last_step):
        run(steps, step)
    return [results[name] for name in chain.outputs]


def resized_row(chain: Chain, stage: Stage, source: Array, row: int) -> Array:
    """Return one row of a resize stage: between two rows first, then between neighbouring columns."""
    rows, columns = chain.axes(stage)
    top, down = rows.position(row)
    low, high = source[top], source[min(top + 1, rows.inputs - 1)]
    blended = low + np.float32(down / rows.denominator) * (high - low)
    places = [columns.position(column) for column in range(columns.outputs)]
    left = np.array([segment for segment, _ in places])
    right = np.minimum(left + 1, columns.inputs - 1)
    across = np.array([part / columns.denominator for _, part in places], np.float32)[:, None]
    result: Array = blended[left] + across * (blended[right] - blended[left])
    return result


def _extents(stage: Stage) -> tuple[int, int, int]:
    return stage.shape.rows, stage.shape.columns, stage.shape.channels


def _compute_row(stage: Stage, seen: list[Array], others: list[Array], weights: Weights) -> Array:
    if stage.kind is StageKind.LOAD:
        return seen[0]
    if stage.kind is StageKind.ADD:
        return _clamped(stage, seen[0] + others[0])
    if stage.kind is StageKind.ARGMAX:
        classes: Array = np.argmax(seen[0], axis=-1, keepdims=True).astype(np.float32)
        return classes
    if stage.kind not in MATRIX_KINDS and stage.kind is not StageKind.DEPTHWISE:
        raise CompilerError(f"the reference interpreter has no rule for stage kind {stage.kind}")
    taps, bias = weights[stage.name]
    values = np.tile(bias, (stage.shape.columns, 1)).astype(np.float32)
    (left, right), window = stage.window.padding[1], stage.window
    for tap_row in range(window.kernel[0]):
        padded = np.pad(seen[tap_row * window.dilation[0]], ((left, right + window.stride[1]), (0, 0)))
        for tap_column in range(window.kernel[1]):
            start = tap_column * window.dilation[1]
            columns = padded[start : start + stage.shape.columns * window.stride[1] : window.stride[1]]
            tap = taps[tap_row, tap_column]
            values += columns * tap[0] if stage.kind is StageKind.DEPTHWISE else columns @ tap
    return _clamped(stage, values)


def _clamped(stage: Stage, values: Array) -> Array:
    clamp = stage.activation
    return values if clamp is None else np.clip(values, clamp.low, clamp.high)
