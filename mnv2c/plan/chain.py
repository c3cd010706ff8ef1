"""Stages and chains as data: what is computed, from which rows, and nothing about how.

A stage produces one output row from the few input rows its window covers. A chain is a DAG of stages that becomes
one kernel. Both are structural (no weights, no tensor names), so equal chains share one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from mnv2c.dtypes import COMPUTED
from mnv2c.plan.resampling import Axis, Coordinates


class StageKind(StrEnum):
    """What a stage computes; the value is the name used in metadata and reports."""

    LOAD = "load"
    STEM = "stem"
    EXPAND = "expand"
    DEPTHWISE = "depthwise"
    PROJECT = "project"
    ADD = "add"
    CONV = "conv"
    POINTWISE = "pointwise"
    POOL = "pool"
    DENSE = "dense"
    RESIZE = "resize"
    ARGMAX = "argmax"


MATRIX_KINDS = frozenset(
    {StageKind.STEM, StageKind.EXPAND, StageKind.PROJECT, StageKind.CONV, StageKind.POINTWISE, StageKind.DENSE}
)
"""Stages that multiply a row of pixels by a matrix of weights (the others work channel by channel)."""


class Order(StrEnum):
    """How a tensor of the caller stores its elements."""

    NHWC = "NHWC"
    NCHW = "NCHW"


@dataclass(frozen=True)
class Shape:
    """Extent of one NHWC tensor of batch 1."""

    rows: int
    columns: int
    channels: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.rows * self.columns * self.channels

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Window:
    """The input pixels of an output pixel; pairs are (vertical, horizontal), padding ((top, bottom), (left, right))."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    @property
    def taps(self) -> int:
        """Number of input pixels in the window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def reach(self) -> int:
        """Rows between the first and the last input row of the window."""
        return (self.kernel[0] - 1) * self.dilation[0]

    @property
    def is_pixel(self) -> bool:
        """Whether an output pixel sees exactly the input pixel at its own place."""
        return self == Window()

    @property
    def needs_margin(self) -> bool:
        """Whether the window leaves the image or overlaps itself, so that its input must lie in a padded ring."""
        return self.taps > 1 or self.padding != ((0, 0), (0, 0))

    def rows_needed(self, first: int, last: int) -> tuple[int, int]:
        """Return the input rows [low, high) of output rows [first, last); rows outside the image are padding."""
        top = self.padding[0][0]
        return first * self.stride[0] - top, (last - 1) * self.stride[0] - top + self.reach + 1


@dataclass(frozen=True)
class Activation:
    """Clamp of the result to [low, high]; ReLU6 is (0, 6)."""

    low: float
    high: float


RELU6 = Activation(0.0, 6.0)


@dataclass(frozen=True)
class Stage:
    """One row-wise operation.

    ``sources`` name earlier stages of the chain or its inputs (``input_0`` …); ``shape`` is the output's, ``dtype`` its
    elements'. A resize reads rows that its ``coordinates`` tell, and so a whole tensor: an input of the chain.
    """

    name: str
    kind: StageKind
    sources: tuple[str, ...]
    shape: Shape
    window: Window = Window()
    activation: Activation | None = None
    coordinates: Coordinates | None = None
    dtype: str = COMPUTED.name


@dataclass(frozen=True)
class Chain:
    """A DAG of stages in topological order, compiled into one kernel.

    ``outputs`` name the stages whose results leave the kernel, the last stage's among them; any other of them is a
    side output. With ``in_place`` the first output is written over the first input (the residual block's own rows).
    ``input_orders`` says how each input is stored; empty means that all are NHWC.
    """

    kind: str
    inputs: tuple[Shape, ...]
    stages: tuple[Stage, ...]
    outputs: tuple[str, ...]
    in_place: bool = False
    input_orders: tuple[Order, ...] = ()

    def is_planar(self, name: str) -> bool:
        """Whether ``name`` is an input that is stored channel by channel (NCHW)."""
        if not name.startswith("input_") or not self.input_orders:
            return False
        return self.input_orders[int(name.removeprefix("input_"))] is Order.NCHW

    def stage(self, name: str) -> Stage:
        """Return the stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    def shape(self, name: str) -> Shape:
        """Return the shape of a stage's result or of an input."""
        if name.startswith("input_"):
            return self.inputs[int(name.removeprefix("input_"))]
        return self.stage(name).shape

    def consumers(self, name: str) -> tuple[Stage, ...]:
        """Return the stages that read ``name``."""
        return tuple(stage for stage in self.stages if name in stage.sources)

    def axes(self, stage: Stage) -> tuple[Axis, Axis]:
        """Return how a resize stage maps rows and columns."""
        source, coordinates = self.shape(stage.sources[0]), stage.coordinates or Coordinates.HALF_PIXEL
        rows = Axis(source.rows, stage.shape.rows, coordinates)
        return rows, Axis(source.columns, stage.shape.columns, coordinates)

    @property
    def madds(self) -> int:
        """Multiply-adds of all convolutions and fully connected stages."""
        return sum(stage_madds(self, stage) for stage in self.stages)


def input_name(index: int) -> str:
    """Return the source name of a chain's input."""
    return f"input_{index}"


def products(chain: Chain, stage: Stage) -> int:
    """Return K of a stage that multiplies by a matrix: the products of each of its sums."""
    return stage.window.taps * chain.shape(stage.sources[0]).channels


def stage_madds(chain: Chain, stage: Stage) -> int:
    """Multiply-adds of one stage (paper section 3.3); element-wise stages count none."""
    if stage.kind in MATRIX_KINDS:
        return stage.shape.elements * products(chain, stage)
    if stage.kind is StageKind.DEPTHWISE:
        return stage.shape.elements * stage.window.taps
    return 0


GATHERED = frozenset({StageKind.EXPAND, StageKind.POINTWISE})
"""Stages that read each input pixel often enough to pay for a copy into blocks of one vector."""


def is_added_pixel(chain: Chain, name: str) -> bool:
    """Whether ``name`` is an input of one pixel that is added to every pixel of an image."""
    if not name.startswith("input_") or chain.shape(name).pixels != 1:
        return False
    readers = chain.consumers(name)
    return bool(readers) and all(stage.kind is StageKind.ADD and stage.shape.pixels > 1 for stage in readers)


def clips(chain: Chain, stage: Stage) -> bool:
    """Whether a stage leaves out the taps that lie outside the image, instead of reading zeros from a padded ring.

    Dilated dense convolutions of an NHWC input do: a ring of 18 rows to each side would be larger than the image, and
    most of the products would be with zeros.
    """
    dilated = stage.kind is StageKind.CONV and stage.window.dilation != (1, 1)
    return dilated and stage.sources[0].startswith("input_") and not chain.is_planar(stage.sources[0])


def with_loads(chain: Chain, gather: bool = False) -> Chain:
    """Put a ``load`` stage before every windowed stage that reads an input of the chain, and every planar input.

    The load copies each input row once into a ring whose columns carry the padding, so no window ever tests for the
    border and any padding convention costs the same. From an NCHW input it gathers the channels of each pixel, so
    that all other stages read NHWC. With ``gather`` expansions and pointwise convolutions read through a ring too.
    """
    loads: dict[str, Stage] = {}
    stages: list[Stage] = []

    def loaded(source: str) -> str:
        name = f"load_{source}"
        if name not in loads:
            loads[name] = Stage(name, StageKind.LOAD, (source,), chain.shape(source))
            stages.append(loads[name])
        return name

    for stage in chain.stages:
        sources = list(stage.sources)
        for index, source in enumerate(sources):
            through_ring = stage.window.needs_margin or (gather and stage.kind in GATHERED)
            windowed = index == 0 and through_ring and source.startswith("input_") and not clips(chain, stage)
            if stage.kind is not StageKind.LOAD and (windowed or chain.is_planar(source)):
                sources[index] = loaded(source)
        stages.append(replace(stage, sources=tuple(sources)))
    return replace(chain, stages=tuple(stages))
