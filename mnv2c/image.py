"""Pictures in, tensors out: what a photograph must go through before the network sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image, Resampling

#: A picture may not have more pixels than this (a decompression bomb would fill the memory).
MAX_PIXELS = 100_000_000


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


def open_picture(path: str | Path) -> Image:
    """Return the picture in RGB, turned upright as its EXIF entry says; UserError where it cannot be read."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise UserError(f"{path}: {opened.width}x{opened.height} pixels, at most {MAX_PIXELS:,} are read")
            return ImageOps.exif_transpose(opened).convert("RGB")
    except FileNotFoundError:
        raise UserError(f"{path}: no such picture") from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a picture that can be read (PNG and JPEG can)") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read the picture: {reason}") from None


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
    return picture.resize(resized, method).crop((left, top, left + width, top + height))


def fit_picture(picture: Image, height: int, width: int, how: Preprocessing) -> Image:
    """Return the picture as height x width, fitted and resized as ``how`` says; UserError for an unknown way."""
    if how.fit == "crop":
        return crop_picture(picture, height, width, how.crop, how.interpolation)
    if how.fit == "stretch":
        return picture.resize((width, height), _method(how.interpolation))
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
    canvas.paste(picture.resize(size, Image.Resampling.BILINEAR), ((width - size[0]) // 2, (height - size[1]) // 2))
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
