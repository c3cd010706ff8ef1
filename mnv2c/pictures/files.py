"""Pictures from files that nobody vouches for: named formats only, bounded before they are decoded, errors of one line.

Pillow recognises dozens of formats, some of which start other programs (EPS runs Ghostscript), and decoders raise what
they like. So only `FORMATS` are tried.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000
"""A picture may not have more pixels than this, of which Pillow and a conversion take up to twelve bytes each."""

MAX_SIDE = 65_535
"""Nor more to a side: as many as JPEG can have."""

MAX_BYTES = 300_000_000
"""Nor may its file be larger; some decoders read all of it."""

FORMATS = {"PNG": 1, "JPEG": 1, "BMP": 1, "GIF": 1, "WEBP": 3, "PPM": 1}
"""The formats that are decoded, by Pillow's names, and how many times the memory of the others one takes."""

NAMED = "PNG, JPEG, WebP, BMP, GIF, PPM"

UPPER_BITS = 8
"""Of values of 16 bits these are kept."""


def open_picture(path: str | Path) -> Image:
    """Return the picture in RGB, turned upright as its EXIF entry says; UserError where it cannot be read.

    Of 16 bits per value the upper eight are kept. Transparency is left out: the colours stay as they are stored.
    """
    from PIL import ImageOps

    def upright(opened: Image) -> Image:
        ImageOps.exif_transpose(opened, in_place=True)
        return _in_rgb(path, opened)

    return _read(path, upright)


def open_classes(path: str | Path) -> Image:
    """Return a picture whose values are numbers of classes, in whatever mode it is stored; UserError as above."""
    return _read(path, lambda opened: opened)


def _read(path: str | Path, use: Callable[[Image], Image]) -> Image:
    """Return what ``use`` makes of the decoded picture, which it may return itself."""
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged metadata and of large pictures
        try:
            with _opened(path) as opened:
                opened.load()
                return use(opened)
        except UserError:
            raise
        # Damaged files make decoders raise nearly anything: struct.error, IndexError, NotImplementedError, MemoryError.
        except Exception as error:
            raise UserError(f"{path}: cannot read the picture: {_reason(error)}") from None


def _check_file(path: str | Path) -> None:
    """A folder, a pipe or a device is no picture, and to open a pipe may take for ever."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise UserError(f"{path}: {'no such picture' if missing else f'cannot be read: {_reason(error)}'}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
        raise UserError(f"{path}: is {kind}; give a picture file ({NAMED})")
    if not found.st_size:
        raise UserError(f"{path}: is empty; give a picture file ({NAMED})")
    if found.st_size > MAX_BYTES:
        raise UserError(f"{path}: has {found.st_size:,} bytes; pictures of at most {MAX_BYTES:,} are read")


def _opened(path: str | Path) -> Image:
    """The picture with its header read, but nothing decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(path, formats=tuple(FORMATS))
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a picture that can be read ({NAMED} can)") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: has too many pixels; at most {MAX_PIXELS:,} are read") from None
    width, height = opened.size
    most = MAX_PIXELS // FORMATS.get(opened.format or "", 1)
    if width * height > most or max(width, height) > MAX_SIDE:
        opened.close()
        raise UserError(f"{path}: {width}x{height} pixels; at most {most:,} are read, {MAX_SIDE:,} to a side")
    return opened


def _in_rgb(path: str | Path, picture: Image) -> Image:
    """The picture in RGB; Pillow's own conversion of values of 16 bits would make all above 255 white."""
    if picture.mode == "F":
        raise UserError(f"{path}: holds fractions, not values of 8 or 16 bits; save it as PNG")
    if not picture.mode.startswith("I"):
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    import numpy as np
    from PIL import Image

    values = np.array(picture)
    np.clip(np.right_shift(values, UPPER_BITS, out=values), 0, 255, out=values)
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _reason(error: BaseException) -> str:
    """One line of what went wrong."""
    text = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
    return text[:200] or type(error).__name__
