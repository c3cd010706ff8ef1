"""Resampling of one axis as data: from which inputs, by which weights, every output of a Resize comes.

ONNX leaves the arithmetic open, and where an output lies half-way between two inputs it decides which one is nearest.
Positions are therefore computed in float32, in the order of operations that onnxruntime uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ONE, HALF = np.float32(1), np.float32(0.5)
TIE = 1e-6
"""How close to half-way onnxruntime (1.32) takes for half-way; found by trying, it lies between 0.96e-6 and 1.19e-6."""


@dataclass(frozen=True)
class Method:
    """The attributes of a Resize, by their ONNX names; ``nearest`` is "simple" before opset 11, which had none."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    coefficient: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    @property
    def extrapolates(self) -> bool:
        """Whether outputs beyond the image have a value of their own."""
        return self.coordinates == "tf_crop_and_resize"


@dataclass(frozen=True, eq=False)
class Taps:
    """Output x is the sum over t of ``weights[x, t]`` · input ``indices[x, t]``; ``outside[x]``: beyond the image.

    ``indices`` int32 and ``weights`` float32 are [outputs, taps]; ``outside`` is bool [outputs].
    """

    indices: Array
    weights: Array
    outside: Array

    @property
    def is_choice(self) -> bool:
        """Whether every output is one of the inputs."""
        return len(self.indices[0]) == 1


def taps(method: Method, inputs: int, outputs: int, scale: float, region: tuple[float, float] = (0.0, 1.0)) -> Taps:
    """How ``inputs`` samples become ``outputs`` under ``scale``; ``region`` is of tf_crop_and_resize."""
    at = positions(method.coordinates, inputs, outputs, np.float32(scale), region)
    outside = (at < 0) | (at > np.float32(inputs - 1)) if method.extrapolates else np.zeros(outputs, bool)
    if method.mode == "nearest":
        chosen = nearest(method.nearest, at, scale).clip(0, inputs - 1).astype(np.int32)
        return Taps(chosen[:, None], np.ones((outputs, 1), np.float32), outside)
    if method.antialias:
        indices, weights = _smoothed(method, at, inputs, np.float32(scale))
    elif method.mode == "linear":
        indices, weights = _linear(at, inputs)
    else:
        indices, weights = _cubic(method, at, inputs)
    return Taps(indices.clip(0, inputs - 1).astype(np.int32), weights.astype(np.float32), outside)


def positions(name: str, inputs: int, outputs: int, scale: np.float32, region: tuple[float, float]) -> Array:
    """Return where every output lies among the inputs, as float32; ``name`` is the coordinate_transformation_mode."""
    x, before, after = np.arange(outputs, dtype=np.float32), np.float32(inputs), np.float32(outputs)
    if scale == ONE:
        return x
    if name == "asymmetric":
        return x / scale
    if name == "align_corners":
        return x * (before - ONE) / (after - ONE) if outputs > 1 else x
    if name == "pytorch_half_pixel" and outputs == 1:
        return x
    if name == "tf_half_pixel_for_nn":
        return (x + HALF) / scale
    if name == "half_pixel_symmetric":
        start = before / np.float32(2) * (ONE - after / (scale * before))
        return (np.float64(start) + (x.astype(np.float64) + 0.5) / np.float64(scale) - 0.5).astype(np.float32)
    if name == "tf_crop_and_resize":
        first, last = np.float32(region[0]), np.float32(region[1])
        if outputs == 1:
            return np.array([0.5 * np.float64(first + last) * np.float64(before - ONE)], np.float32)
        return first * (before - ONE) + x * (last - first) * (before - ONE) / (after - ONE)
    return (x + HALF) / scale - HALF


def nearest(name: str, at: Array, scale: float) -> Array:
    """Round positions by the ``nearest_mode`` of that name; the result may lie beyond the image."""
    if name == "simple":
        return np.ceil(at) if scale < 1 else np.trunc(at)
    if name == "floor":
        return np.floor(at)
    if name == "ceil":
        return np.ceil(at)
    below, exact = np.floor(at), at.astype(np.float64)
    tied = np.abs(exact - below - 0.5) <= TIE
    return np.where(tied, below + (name == "round_prefer_ceil"), np.floor(exact + 0.5))


def _linear(at: Array, inputs: int) -> tuple[Array, Array]:
    at = at.clip(np.float32(0), np.float32(inputs - 1))
    first = np.minimum(np.trunc(at), np.float32(inputs - 1))
    part = at - first
    return np.stack([first, first + 1], 1), np.stack([ONE - part, part], 1)


def _cubic(method: Method, at: Array, inputs: int) -> tuple[Array, Array]:
    """The kernel of Keys (1981) over four neighbours; those outside repeat the border, or are left out."""
    first = np.floor(at)
    indices = first[:, None] + np.arange(-1, 3)
    distances = np.abs(at[:, None] - indices)
    weights = _keys(distances, np.float32(method.coefficient))
    if method.exclude_outside:
        weights = _normalised(np.where((indices < 0) | (indices >= inputs), np.float32(0), weights))
    return indices, weights


def _keys(distances: Array, a: np.float32) -> Array:
    near = ((a + 2) * distances - (a + 3)) * distances * distances + 1
    far = ((a * distances - 5 * a) * distances + 8 * a) * distances - 4 * a
    return np.where(distances <= 1, near, np.where(distances < 2, far, np.float32(0))).astype(np.float32)


def _smoothed(method: Method, at: Array, inputs: int, scale: np.float32) -> tuple[Array, Array]:
    """The kernel stretched over all inputs that an output covers, as Pillow does; it is normalised at the borders."""
    stretch = max(ONE / scale, ONE)
    reach = stretch * np.float32(1 if method.mode == "linear" else 2)
    centre = at + HALF
    first, last = np.floor(centre - reach + HALF), np.floor(centre + reach + HALF)
    indices = first[:, None] + np.arange(int(np.ceil(reach)) * 2 + 1, dtype=np.float32)
    distances = np.abs((indices - centre[:, None] + HALF) / stretch)
    if method.mode == "linear":
        weights = np.maximum(ONE - distances, np.float32(0))
    else:
        weights = _keys(distances, np.float32(method.coefficient))
    weights = np.where(indices < last[:, None], weights, np.float32(0))
    if method.exclude_outside:
        weights = np.where((indices < 0) | (indices >= inputs), np.float32(0), weights)
    return indices, _normalised(weights)


def _normalised(weights: Array) -> Array:
    total = weights.sum(1, keepdims=True, dtype=np.float32)
    return weights / np.where(total == 0, ONE, total)
