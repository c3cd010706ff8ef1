"""Where a picture's pixels lie in the network's, and back: what fitting did is undone for boxes and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnv2c.errors import UserError
from mnv2c.pictures.image import Preprocessing


@dataclass(frozen=True)
class Geometry:
    """A position x of the picture lies at ``scale_x`` * x + ``offset_x`` in the network's; y likewise.

    Positions are those of edges: the first pixel is between 0 and 1.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float

    @classmethod
    def of(cls, picture: tuple[int, int], network: tuple[int, int], how: Preprocessing) -> Geometry:
        """For sizes (height, width), as ``mnv2c.pictures.image.fit_picture`` fits."""
        across, down = network[1] / picture[1], network[0] / picture[0]
        if how.fit == "stretch":
            return cls(across, down, 0.0, 0.0)
        if how.fit not in ("crop", "letterbox"):
            raise UserError(f"fit {how.fit!r} of the picture: choose from crop, stretch, letterbox")
        scale = max(across, down) / how.crop if how.fit == "crop" else min(across, down)
        sizes = [max(1, round(extent * scale)) for extent in picture]
        if how.fit == "crop":
            sizes = [max(least, size) for least, size in zip(network, sizes, strict=True)]
        top, left = ((extent - size) // 2 for extent, size in zip(network, sizes, strict=True))
        if how.fit == "crop":
            top, left = (-((size - extent) // 2) for extent, size in zip(network, sizes, strict=True))
        return cls(sizes[1] / picture[1], sizes[0] / picture[0], float(left), float(top))

    def boxes(self, boxes: NDArray[np.float32], picture: tuple[int, int]) -> NDArray[np.float32]:
        """Boxes [n, 4] of the network's picture as boxes of the picture (height, width), cut at its edge."""
        scale = np.array([self.scale_x, self.scale_y] * 2)
        offset = np.array([self.offset_x, self.offset_y] * 2)
        limits = np.array([picture[1], picture[0]] * 2)
        found: NDArray[np.float32] = ((boxes - offset) / scale).clip(0, limits).astype(np.float32)
        return found

    def mask(self, mask: NDArray[np.uint8], picture: tuple[int, int]) -> NDArray[np.uint8]:
        """The mask of a picture (height, width): the nearest pixel of the network's; 0 where it saw nothing."""
        rows = np.floor((np.arange(picture[0]) + 0.5) * self.scale_y + self.offset_y).astype(int)
        columns = np.floor((np.arange(picture[1]) + 0.5) * self.scale_x + self.offset_x).astype(int)
        seen: NDArray[np.uint8] = mask[rows.clip(0, mask.shape[0] - 1)][:, columns.clip(0, mask.shape[1] - 1)].copy()
        seen[(rows < 0) | (rows >= mask.shape[0])] = 0
        seen[:, (columns < 0) | (columns >= mask.shape[1])] = 0
        return seen
