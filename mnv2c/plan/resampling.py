"""Linear resampling of one axis, exactly: between which input values an output value lies, as integers.

The position of output x is a fraction of integers, so rows and columns fall into segments between two neighbouring
inputs without any rounding; only the weight of the second one is rounded, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Coordinates(StrEnum):
    """Where output samples lie among input samples; the value is the name ONNX gives it."""

    ALIGN_CORNERS = "align_corners"
    HALF_PIXEL = "half_pixel"
    ASYMMETRIC = "asymmetric"


def coordinates(name: str, outputs: Sequence[int]) -> Coordinates | None:
    """What ONNX calls ``name`` for so many output rows and columns; None for what no kernel computes.

    ``pytorch_half_pixel``, which PyTorch exports, differs from ``half_pixel`` for a single output only: that lies at 0.
    """
    if name == "pytorch_half_pixel":
        return Coordinates.HALF_PIXEL if min(outputs) > 1 else None
    return Coordinates(name) if name in tuple(Coordinates) else None


@dataclass(frozen=True)
class Axis:
    """``inputs`` samples resampled to ``outputs``; output x lies at ``(scale · x + offset) / denominator``.

    Positions are clamped to [0, inputs - 1]. Segment s lies between inputs s and s + 1; of a single input there is one
    segment, whose end is that input again.
    """

    inputs: int
    outputs: int
    coordinates: Coordinates

    @property
    def scale(self) -> int:
        """Numerator of the step from one output to the next."""
        if self.coordinates is Coordinates.ALIGN_CORNERS:
            return self.inputs - 1
        return self.inputs * (2 if self.coordinates is Coordinates.HALF_PIXEL else 1)

    @property
    def offset(self) -> int:
        """Numerator of the position of output 0."""
        return self.inputs - self.outputs if self.coordinates is Coordinates.HALF_PIXEL else 0

    @property
    def denominator(self) -> int:
        """What both are divided by."""
        if self.coordinates is Coordinates.ALIGN_CORNERS:
            return max(self.outputs - 1, 1)
        return self.outputs * (2 if self.coordinates is Coordinates.HALF_PIXEL else 1)

    @property
    def last(self) -> int:
        """Numerator of the last input's position."""
        return (self.inputs - 1) * self.denominator

    @property
    def segments(self) -> int:
        """Number of segments."""
        return max(self.inputs - 1, 1)

    def position(self, output: int) -> tuple[int, int]:
        """Return the segment of an output, and the numerator of its place in it, from 0 to the denominator."""
        at = min(max(self.scale * output + self.offset, 0), self.last)
        segment = min(at // self.denominator, self.segments - 1)
        return segment, at - segment * self.denominator

    def first(self, segment: int) -> int:
        """Return the first output of a segment; that of the one beyond the last is the number of outputs."""
        if segment <= 0:
            return 0
        if segment >= self.segments:
            return self.outputs
        return min(max(-((self.offset - segment * self.denominator) // self.scale), 0), self.outputs)

    @property
    def longest(self) -> int:
        """Outputs of an inner segment, at most."""
        return min(self.outputs, -(-self.denominator // max(self.scale, 1)))
