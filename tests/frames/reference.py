"""Frames in NumPy, written from the definitions and not from the C."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

from mnv2c.frames import Picture
from mnv2c.runtime.frame import Frame, rows_and_bytes

Array = np.ndarray[Any, Any]

WEIGHTS = {"BT601": (0.299, 0.587, 0.114), "BT709": (0.2126, 0.7152, 0.0722)}


def random_frame(
    seed: int, format: str, width: int, height: int, *, yuv: str = "BT601", rotation: int = 0, fit: str = "trained",
    padding: int = 0,
) -> Frame:  # fmt: skip
    """A frame of noise; rows are ``padding`` bytes apart."""
    rng = np.random.default_rng(seed)
    planes = []
    for rows, count in rows_and_bytes(Frame((), width, height, format)):
        plane = rng.integers(0, 256, (rows, count + padding), dtype=np.uint8)[:, :count]
        channels = {"RGB": 3, "BGR": 3, "RGBA": 4}.get(format)
        planes.append(np.lib.stride_tricks.as_strided(plane, (rows, width, channels), (plane.strides[0], channels, 1))
                      if channels else plane)  # fmt: skip
    return Frame(tuple(planes), width, height, format, yuv, rotation, fit)


def to_rgb(frame: Frame) -> Array:
    """The frame as it is stored, float64 [height, width, 3], 0 to 255."""
    planes = [np.asarray(plane, np.float64) for plane in frame.planes]
    if frame.format in ("RGB", "RGBA"):
        return planes[0][..., :3]
    if frame.format == "BGR":
        return planes[0][..., ::-1]
    if frame.format == "YUYV":
        groups = planes[0].reshape(frame.height, -1, 4)
        luma = groups[..., [0, 2]].reshape(frame.height, -1)
        blue, red = groups[..., 1], groups[..., 3]
        blue, red = (np.repeat(chroma, 2, axis=1) for chroma in (blue, red))
    else:
        luma = planes[0]
        pairs = planes[1].reshape(planes[1].shape[0], -1, 2)
        pairs = np.repeat(np.repeat(pairs, 2, axis=0), 2, axis=1)
        blue, red = (pairs[..., 0], pairs[..., 1]) if frame.format == "NV12" else (pairs[..., 1], pairs[..., 0])
    crop = slice(0, frame.height), slice(0, frame.width)
    return from_yuv(luma[crop], blue[crop], red[crop], frame.yuv)


def from_yuv(luma: Array, blue: Array, red: Array, yuv: str) -> Array:
    """The inverse, by a linear system, of how the standards define luma and chroma from colours in 0 to 255."""
    r, g, b = WEIGHTS[yuv.removesuffix("_FULL")]
    forward = np.array(
        [[r, g, b], [-r / (2 - 2 * b), -g / (2 - 2 * b), 0.5], [0.5, -g / (2 - 2 * r), -b / (2 - 2 * r)]]
    )
    if not yuv.endswith("_FULL"):
        forward *= np.array([[219.0], [224.0], [224.0]]) / 255
    black = 0 if yuv.endswith("_FULL") else 16
    values = np.stack([luma - black, blue - 128, red - 128], -1)
    return np.linalg.solve(forward, values[..., None])[..., 0].clip(0, 255)


def region(picture: Picture, height: int, width: int, fit: str) -> tuple[tuple[int, int, int, int], Array]:
    """Where an upright frame lies in the picture (x, y, columns, rows), and the part of it there (x0, y0, x1, y1)."""
    kind = picture.fit if fit == "trained" else fit
    if kind == "crop":
        share = picture.share if fit == "trained" else 1.0
        scale = max(picture.height / (share * height), picture.width / (share * width))  # of the frame
        seen = np.array([picture.width, picture.height]) / scale
        start = (np.array([width, height]) - seen) / 2
        return (0, 0, picture.width, picture.height), np.concatenate([start, start + seen])
    columns, rows = picture.width, picture.height
    if kind == "letterbox":
        scale = min(Fraction(picture.height, height), Fraction(picture.width, width))  # exact: halves go up
        columns = min(max(floor(width * scale + Fraction(1, 2)), 1), picture.width)
        rows = min(max(floor(height * scale + Fraction(1, 2)), 1), picture.height)
    place = (picture.width - columns) // 2, (picture.height - rows) // 2, columns, rows
    return place, np.array([0, 0, width, height], np.float64)


def tents(start: float, end: float, count: int, pixels: int) -> Array:
    """Bilinear resizing along an axis as a matrix [count, pixels]: a tent around the place of every new pixel."""
    places = (start + (np.arange(count) + 0.5) * (end - start) / count - 0.5).clip(0, pixels - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(pixels)), 0)


def network_input(picture: Picture, frame: Frame) -> Array:
    """What the network must get, float64 in its own order."""
    upright = np.rot90(to_rgb(frame), -frame.rotation // 90).copy()
    height, width, _ = upright.shape
    (x, y, columns, rows), part = region(picture, height, width, frame.fit)
    across = tents(part[0], part[2], columns, width)
    down = tents(part[1], part[3], rows, height)
    made = np.full((picture.height, picture.width, 3), float(picture.bar))
    made[y : y + rows, x : x + columns] = np.einsum("yi,ijc,xj->yxc", down, upright, across)
    made = (made / 255 - np.array(picture.mean)) / np.array(picture.deviation)
    made = made[..., ::-1] if picture.blue_first else made
    return (made.transpose(2, 0, 1) if picture.planar else made)[None]


def frame_mask(picture: Picture, mask: Array, frame: Frame, nudge: tuple[float, float] = (0, 0)) -> Array:
    """Every pixel of the stored frame gets the class of the place that shows it; ``nudge`` moves the places."""
    turned = frame.rotation in (90, 270)
    height, width = (frame.width, frame.height) if turned else (frame.height, frame.width)
    (x, y, columns, rows), part = region(picture, height, width, frame.fit)
    across = (np.arange(width) + 0.5 - part[0]) * (columns / (part[2] - part[0]))
    down = (np.arange(height) + 0.5 - part[1]) * (rows / (part[3] - part[1]))
    across, down = across + nudge[0], down + nudge[1]
    seen = ((across >= 0) & (across < columns))[None] & ((down >= 0) & (down < rows))[:, None]
    picked = mask[np.ix_(y + down.clip(0, rows - 1).astype(int), x + across.clip(0, columns - 1).astype(int))]
    return np.rot90(np.where(seen, picked, 255), frame.rotation // 90)
