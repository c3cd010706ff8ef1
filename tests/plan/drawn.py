"""Chains drawn by hypothesis: lines of pointwise and depthwise stages with any window, side outputs and shortcuts."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mnv2c.plan.chain import MATRIX_KINDS, RELU6, Chain, Shape, Stage, StageKind, Window

Pads = tuple[tuple[int, int], tuple[int, int]]


@st.composite
def windows(draw: st.DrawFn, shape: Shape) -> Window:
    """A window with at least one output pixel."""
    kernel, stride, dilation, pads = [], [], [], []
    for extent in (shape.rows, shape.columns):
        kernel.append(draw(st.integers(1, 4)))
        stride.append(draw(st.integers(1, 3)))
        dilation.append(draw(st.integers(1, 3)))
        reach = (kernel[-1] - 1) * dilation[-1]
        before = draw(st.integers(0, reach))
        pads.append((before, draw(st.integers(max(0, reach + 1 - extent - before), reach + 1))))
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (dilation[0], dilation[1]), (pads[0], pads[1]))


def output_shape(shape: Shape, window: Window, channels: int) -> Shape:
    """The shape of a convolution's result."""
    rows, columns = (
        (extent + sum(window.padding[i]) - (window.kernel[i] - 1) * window.dilation[i] - 1) // window.stride[i] + 1
        for i, extent in enumerate((shape.rows, shape.columns))
    )
    return Shape(rows, columns, channels)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """A line of one to five stages; any of them may be a side output, the last may have a shortcut."""
    shape = Shape(draw(st.integers(1, 13)), draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    stages: list[Stage] = []
    source, current = "input_0", shape
    for index in range(draw(st.integers(1, 5))):
        depthwise = draw(st.booleans())
        window = draw(windows(current)) if depthwise or draw(st.integers(0, 3)) == 0 else Window()
        channels = current.channels if depthwise else draw(st.integers(1, 3))
        current = output_shape(current, window, channels)
        kind = StageKind.DEPTHWISE if depthwise else StageKind.CONV if window != Window() else StageKind.POINTWISE
        stages.append(Stage(f"stage_{index}", kind, (source,), current, window, draw(st.sampled_from((None, RELU6)))))
        source = stages[-1].name
    same = [name for name in ("input_0", *(s.name for s in stages[:-1])) if chain_shape(shape, stages, name) == current]
    if same and draw(st.booleans()):
        stages.append(Stage("sum", StageKind.ADD, (source, draw(st.sampled_from(same))), current))
    sides = [stage.name for stage in stages[:-1] if draw(st.integers(0, 3)) == 0]
    return Chain("drawn", (shape,), tuple(stages), (stages[-1].name, *sides))


def chain_shape(image: Shape, stages: list[Stage], name: str) -> Shape:
    """The shape of a stage's result or of the input."""
    return Chain("", (image,), tuple(stages), ()).shape(name)


def divisors(number: int) -> list[int]:
    """All of them, and 0 for the whole image."""
    return [0, *(count for count in range(1, number + 1) if number % count == 0)]


def tensors(chain: Chain, seed: int = 0) -> tuple[list[np.ndarray], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Random inputs and weights."""
    random = np.random.default_rng(seed)
    inputs = [random.uniform(-1, 1, (s.rows, s.columns, s.channels)).astype(np.float32) for s in chain.inputs]
    weights = {}
    for stage in chain.stages:
        if stage.kind in MATRIX_KINDS or stage.kind is StageKind.DEPTHWISE:
            depth = 1 if stage.kind is StageKind.DEPTHWISE else chain.shape(stage.sources[0]).channels
            taps = random.uniform(-1, 1, (*stage.window.kernel, depth, stage.shape.channels))
            weights[stage.name] = (taps.astype(np.float32), random.uniform(-1, 1, stage.shape.channels))
    return inputs, weights
