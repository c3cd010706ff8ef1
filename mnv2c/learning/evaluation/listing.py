"""Small things that the readers of all layouts need."""

from __future__ import annotations

from pathlib import Path

from mnv2c.errors import UserError

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
LABELS_FILE = "labels.txt"


def read_text(path: Path) -> str:
    """The text of a file; UserError where it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def labels_of(folder: Path, count: int) -> tuple[str, ...]:
    """The folder's own ``labels.txt`` if there is one; UserError where it has not ``count`` lines."""
    path = folder / LABELS_FILE
    if not path.is_file():
        return ()
    labels = tuple(line for line in read_text(path).splitlines() if line.strip())
    if len(labels) != count:
        raise UserError(f"{path}: names {len(labels)} classes, but there are {count}")
    return labels


def picture(folder: Path, stem: str) -> Path:
    """The picture with this name and any usual ending; UserError where there is none."""
    for suffix in (".jpg", ".png", ".jpeg"):
        if (path := folder / f"{stem}{suffix}").is_file():
            return path
    raise UserError(f"{folder / stem}.jpg: no such picture")
