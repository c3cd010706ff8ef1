"""Pictures in, tensors out: what a photograph must go through before the network sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.errors import UserError
from mnv2c.pictures.files import open_picture

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image, Resampling

LARGEST_STEP = 16_000_000
"""Pixels that the first of the two steps of a resize may make; above, the other axis comes first."""


@dataclass(frozen=True)
class Preprocessing:
    """How pixel values become inputs: ``(pixel / 255 - mean) / deviation`` per channel, red first.

    ``fit`` says how a picture of another shape gets into the network's: "crop" cuts out the centre, of which ``crop``
    is the share of the tighter side; "stretch" takes all of it; "letterbox" too, with grey bars to two sides instead
    of another shape. ``interpolation`` is how it is resized. The defaults are those of the paper's own implementation:
    a crop of 87.5 % and values in [-1, 1].
    """

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)
    crop: float = 0.875
    interpolation: str = "bilinear"
    fit: str = "crop"

    @classmethod
    def from_metadata(cls, port: Mapping[str, Any]) -> Preprocessing:
        """Read the ``preprocessing`` entry of an input in NAME.json; the defaults where it is absent."""
        entry = port.get("preprocessing") or {}
        default = cls()
        return cls(
            mean=_three(entry.get("mean", default.mean)),
            deviation=_three(entry.get("deviation", entry.get("std", default.deviation))),
            crop=float(entry.get("crop", default.crop)),
            interpolation=str(entry.get("interpolation", default.interpolation)),
            fit=str(entry.get("fit", default.fit)),
        )


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def crop_picture(
    picture: Image, height: int, width: int, crop: float = 0.875, interpolation: str = "bilinear"
) -> Image:
    """Resize so that height x width is the share ``crop`` of the tighter side, and cut that out of the centre.

    ``interpolation`` is "bilinear" or "bicubic"; UserError for another.
    """
    method = _method(interpolation)
    scale = max(height / crop / picture.height, width / crop / picture.width)
    resized = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
    left, top = (resized[0] - width) // 2, (resized[1] - height) // 2
    # What is cut out is all that is resized: of a picture of 1x65000 the whole would take 1.5 GB.
    across, down = picture.width / resized[0], picture.height / resized[1]
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    return _resized(picture, (width, height), method, box)


def _resized(
    picture: Image, size: tuple[int, int], method: Resampling, box: tuple[float, float, float, float] | None = None
) -> Image:
    """Resize what lies in ``box``, (left, top, right, bottom); the filter sees what is around it.

    Pillow resizes rows first: of a tall picture that would be many more pixels than either has.
    """
    left, top, right, bottom = box or (0.0, 0.0, float(picture.width), float(picture.height))
    right, bottom = min(right, float(picture.width)), min(bottom, float(picture.height))
    if size[0] * (bottom - top) > max(LARGEST_STEP, picture.width * picture.height):
        picture = picture.resize((picture.width, size[1]), method, (0, top, picture.width, bottom))
        top, bottom = 0.0, float(size[1])
    return picture.resize(size, method, (left, top, right, bottom))


def fit_picture(picture: Image, height: int, width: int, how: Preprocessing) -> Image:
    """Return the picture as height x width, fitted and resized as ``how`` says; UserError for an unknown way."""
    if how.fit == "crop":
        return crop_picture(picture, height, width, how.crop, how.interpolation)
    if how.fit == "stretch":
        return _resized(picture, (width, height), _method(how.interpolation))
    if how.fit == "letterbox":
        return letterbox_picture(picture, height, width)
    raise UserError(f"fit {how.fit!r} of the picture: choose from crop, stretch, letterbox")


def _method(interpolation: str) -> Resampling:
    from PIL.Image import Resampling

    methods = {"bilinear": Resampling.BILINEAR, "bicubic": Resampling.BICUBIC}
    if interpolation not in methods:
        raise UserError(f"interpolation {interpolation!r} of the picture: choose from {', '.join(methods)}")
    return methods[interpolation]


def letterbox_picture(picture: Image, height: int, width: int, bar: int = 127) -> Image:
    """Return all of the picture in the middle of height x width pixels, grey bars around it."""
    from PIL import Image

    scale = min(height / picture.height, width / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    canvas = Image.new("RGB", (width, height), (bar, bar, bar))
    canvas.paste(_resized(picture, size, Image.Resampling.BILINEAR), ((width - size[0]) // 2, (height - size[1]) // 2))
    return canvas


def to_tensor(picture: Image, how: Preprocessing) -> np.ndarray[Any, Any]:
    """Return the picture as float32 NHWC [1, height, width, 3]."""
    import numpy as np

    pixels = np.asarray(picture, dtype=np.float32) / np.float32(255.0)
    values = (pixels - np.asarray(how.mean, np.float32)) / np.asarray(how.deviation, np.float32)
    return np.ascontiguousarray(values[np.newaxis], dtype=np.float32)


def load_image(path: str | Path, height: int, width: int, how: Preprocessing | None = None) -> np.ndarray[Any, Any]:
    """Read a picture file into float32 NHWC [1, height, width, 3]; UserError where it cannot be read."""
    how = how or Preprocessing()
    return to_tensor(fit_picture(open_picture(path), height, width, how), how)
