"""Frames, and what a library answers to them, as Python values and as the C structures of ``NAME.h``."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import LibraryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("RGB", "RGBA", "BGR", "NV12", "NV21", "YUYV")
YUV = ("BT601", "BT601_FULL", "BT709", "BT709_FULL")
FITS = ("trained", "stretch", "letterbox", "crop")
"""The enumerations of ``NAME.h``, in their order."""

UNSEEN = 255
"""What a mask says of pixels that the network did not see: ``NAME_UNSEEN``."""

CHANNELS = {"RGB": 3, "RGBA": 4, "BGR": 3}
"""Bytes per pixel of the formats whose arrays are [height, width, channels]."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture as a camera or decoder gives it.

    ``planes`` are uint8 arrays whose rows may be any distance apart: [height, width, 3 or 4] for RGB, BGR and RGBA; a
    row of bytes per row of pixels otherwise: luma, and chroma for NV12 and NV21. ``rotation`` is how many degrees it
    must be turned clockwise to be upright: 0, 90, 180 or 270. ``fit`` is one of ``FITS``.
    """

    planes: tuple[NDArray[np.uint8], ...]
    width: int
    height: int
    format: str = "RGB"
    yuv: str = "BT601"
    rotation: int = 0
    fit: str = "trained"

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], format: str = "RGB", *, rotation: int = 0, fit: str = "trained") -> Frame:
        """The frame of a uint8 array [height, width, channels] in RGB, BGR or RGBA; LibraryError for another array."""
        wanted = CHANNELS.get(format)
        if wanted is None:
            raise LibraryError(f"format {format}: has planes of its own; make a Frame of them")
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] != (wanted,):
            found = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise LibraryError(f"a frame in {format} must be a uint8 array [height, width, {wanted}], not {found}")
        return cls((pixels,), pixels.shape[1], pixels.shape[0], format, rotation=rotation, fit=fit)


class CFrame(ctypes.Structure):
    """``NAME_frame``."""

    _fields_ = (
        ("planes", ctypes.c_void_p * 2),
        ("strides", ctypes.c_size_t * 2),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("format", ctypes.c_int),
        ("yuv", ctypes.c_int),
        ("rotation", ctypes.c_uint32),
        ("fit", ctypes.c_int),
    )


class CClass(ctypes.Structure):
    """``NAME_class``."""

    _fields_ = (("score", ctypes.c_float), ("class_id", ctypes.c_uint32))


class CDetection(ctypes.Structure):
    """``NAME_detection``."""

    _fields_ = (
        ("score", ctypes.c_float),
        ("class_id", ctypes.c_uint32),
        *((name, ctypes.c_float) for name in ("x0", "y0", "x1", "y1")),
    )


class CLimits(ctypes.Structure):
    """``NAME_limits``."""

    _fields_ = (("score", ctypes.c_float), ("overlap", ctypes.c_float))


@dataclass(frozen=True)
class ClassScore:
    """A class of a picture: its number, its label ("class 7" where there is none), its score."""

    class_id: int
    label: str
    score: float


@dataclass(frozen=True)
class Detection:
    """A thing in a frame; ``box`` is (x0, y0, x1, y1) in pixels of the frame as it is stored."""

    class_id: int
    label: str
    score: float
    box: tuple[float, float, float, float]


Answer = tuple[ClassScore, ...] | tuple[Detection, ...] | Any
"""Classes, detections, or a mask, uint8 [height, width]."""


def to_c(frame: Frame) -> CFrame:
    """The C structure; it points into the frame's arrays. LibraryError for arrays that do not fit the frame."""
    _check(frame)
    planes = [plane.ctypes.data for plane in frame.planes] + [0]
    strides = [_stride(plane) for plane in frame.planes] + [0]
    return CFrame(
        (ctypes.c_void_p * 2)(*planes[:2]),
        (ctypes.c_size_t * 2)(*strides[:2]),
        frame.width,
        frame.height,
        _number("format", frame.format, FORMATS),
        _number("yuv", frame.yuv, YUV),
        frame.rotation,
        _number("fit", frame.fit, FITS),
    )


def rows_and_bytes(frame: Frame) -> tuple[tuple[int, int], ...]:
    """Rows and bytes per row of the planes that the format has."""
    across, down = -(-frame.width // 2), -(-frame.height // 2)
    match frame.format:
        case "NV12" | "NV21":
            return (frame.height, frame.width), (down, 2 * across)
        case "YUYV":
            return ((frame.height, 4 * across),)
    return ((frame.height, frame.width * CHANNELS[frame.format]),)


def _check(frame: Frame) -> None:
    """C reads as far as width, height and format say: the arrays must hold it."""
    _number("format", frame.format, FORMATS)
    if min(frame.width, frame.height, frame.rotation) < 0:
        raise LibraryError(f"a frame of {frame.width}x{frame.height}, turned by {frame.rotation}: none may be negative")
    wanted = rows_and_bytes(frame)
    if len(frame.planes) != len(wanted):
        raise LibraryError(f"a frame in {frame.format} has {len(wanted)} plane(s), not {len(frame.planes)}")
    for plane, (rows, count) in zip(frame.planes, wanted, strict=True):
        if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or plane.ndim < 2:
            raise LibraryError(f"planes of a frame must be uint8 arrays of rows, not {getattr(plane, 'dtype', plane)}")
        length = prod(plane.shape[1:])
        if not plane[:1].flags.c_contiguous or (plane.shape[0] > 1 and plane.strides[0] < length):
            raise LibraryError("the rows of a frame must be contiguous; use np.ascontiguousarray(plane)")
        if plane.shape[0] < rows or length < count:
            raise LibraryError(
                f"a {frame.format} frame of {frame.width}x{frame.height} needs {rows} rows of {count} bytes, but a "
                f"plane has {plane.shape[0]} of {length}"
            )


def _stride(plane: NDArray[np.uint8]) -> int:
    return max(plane.strides[0], prod(plane.shape[1:]))


def _number(what: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise LibraryError(f"{what} {name!r} of a frame: choose from {', '.join(known)}")
    return known.index(name)
