"""Answers drawn into pictures: bars of classes, boxes with labels, a mask as colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.common.files import replace_file
from mnv2c.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mnv2c.runtime import ClassScore, Detection

LINE, SMALLEST = 14, 180
DARK, LIGHT, BAR = (24, 24, 24), (235, 235, 235), (38, 88, 140)


def colour(index: int) -> tuple[int, int, int]:
    """A colour per class, alike in no two of the first classes; class 0 is black, as in the masks of Pascal VOC."""
    red = green = blue = 0
    for bit in range(8):
        red |= (index >> 3 * bit & 1) << 7 - bit
        green |= (index >> 3 * bit + 1 & 1) << 7 - bit
        blue |= (index >> 3 * bit + 2 & 1) << 7 - bit
    return red, green, blue


def with_bars(picture: Image, best: Sequence[ClassScore]) -> Image:
    """The picture with a bar per class beneath it, as long as the class is probable."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (max(picture.width, SMALLEST), picture.height + LINE * len(best) + 6), DARK)
    canvas.paste(picture, ((canvas.width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for row, entry in enumerate(best):
        top = picture.height + 3 + row * LINE
        share = min(max(entry.score, 0.0), 1.0) if entry.score == entry.score else 0.0
        draw.rectangle((4, top, 4 + round((canvas.width - 8) * share), top + LINE - 3), BAR)
        score = f"{entry.score:6.1%}" if 0 <= entry.score <= 1 else f"{entry.score:.3g}"
        draw.text((6, top), _ascii(f"{score}  {entry.label}"), fill=LIGHT)
    return canvas


def with_boxes(picture: Image, found: Sequence[Detection]) -> Image:
    """The picture with the boxes of detections, the best on top."""
    from PIL import ImageDraw

    canvas = picture.copy()
    draw = ImageDraw.Draw(canvas)
    thick = max(1, round(min(picture.size) / 200))
    for each in reversed(found):
        ink = colour(each.class_id) if each.class_id else LIGHT
        x0, y0, x1, y1 = each.box
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=ink, width=thick)
        text = _ascii(f"{each.label} {each.score:.0%}")
        place = (x0 + thick, max(0.0, y0 - LINE) if y0 >= LINE else y0 + thick)
        draw.rectangle(draw.textbbox(place, text), fill=DARK)
        draw.text(place, text, fill=LIGHT)
    return canvas


def with_mask(picture: Image, mask: np.ndarray[Any, Any]) -> Image:
    """The picture under the colours of its classes; class 0 and what was not seen stay as they are."""
    import numpy as np
    from PIL import Image

    from mnv2c.runtime.frame import UNSEEN

    table = np.array([colour(index) for index in range(256)], np.uint8)
    pixels = np.asarray(picture)
    painted = (pixels // 2 + table[mask] // 2).astype(np.uint8)
    plain = (mask == 0) | (mask == UNSEEN)
    return Image.fromarray(np.where(plain[..., None], pixels, painted))


def save(canvas: Image, path: Path) -> None:
    """Write a picture so that it appears whole; UserError for an unknown kind of file."""
    from PIL import Image

    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: cannot write the picture: unknown file extension: {path.suffix}")
    try:
        replace_file(path, lambda made: canvas.save(made, kind))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot write the picture: {getattr(error, 'strerror', None) or error}") from None


def _ascii(text: str) -> str:
    """What Pillow's own font can draw."""
    return text.encode("ascii", "replace").decode()
