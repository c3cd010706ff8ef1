"""What belongs to no shape: dull colours that change slowly behind them, and the noise over everything."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVELS = (80.0, 180.0)  # of the mean of a background
SWING = (4.0, 45.0)  # how far its large spots differ from it
TINT = 16.0  # how far its channels differ from each other
CELLS = (2, 9)  # large spots along a side

# The 256 values of a byte as normally distributed ones: several times faster than drawing those.
NORMAL = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)], np.float32)


def background(random: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A background, float32 [height, width, 3] within about 0 to 255."""
    cells = int(random.integers(*CELLS))
    swing = random.uniform(*SWING)
    spots = random.uniform(-swing, swing, (cells, cells, 1)) + random.uniform(-TINT, TINT, (cells, cells, 3))
    spots = (spots + random.uniform(*LEVELS) + random.uniform(-TINT, TINT, 3)).astype(np.float32)
    down, across = _weights(height, cells), _weights(width, cells)
    rows = down @ spots.reshape(cells, -1)  # [height, cells * 3]
    wide = across @ rows.reshape(height, cells, 3)  # [height, width, 3]
    return np.ascontiguousarray(wide, np.float32)


def grain(random: np.random.Generator, shape: tuple[int, ...], deviation: float) -> NDArray[np.float32]:
    """Noise of this standard deviation for every value on its own."""
    noise: NDArray[np.float32] = (np.float32(deviation) * NORMAL)[random.integers(0, 256, shape, np.uint8)]
    return noise


@lru_cache(maxsize=64)
def _weights(size: int, cells: int) -> NDArray[np.float32]:
    """The matrix [size, cells] that interpolates linearly between ``cells`` values."""
    places = np.linspace(0, cells - 1, size, dtype=np.float64)
    weights: NDArray[np.float32] = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells))).astype(np.float32)
    return weights
