"""Names of classes from a text file with one per line."""

from __future__ import annotations

from pathlib import Path

from mnv2c.errors import UserError

MOST_CHARACTERS = 1 << 20
BACKGROUND = "background"


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Return the lines of a text file in UTF-8; UserError where it cannot be read or is something else."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the labels: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > MOST_CHARACTERS or "\0" in text:
        raise UserError(f"{path}: not a file of labels, one per line of text, up to {MOST_CHARACTERS:,} characters")
    return tuple(line.strip() for line in text.splitlines())


def by_class(labels: tuple[str, ...], classes: int, offset: int) -> tuple[str, ...]:
    """Return the labels by class; a list that lacks exactly the ``offset`` classes before the first gets those."""
    return (BACKGROUND,) * offset + labels if offset and len(labels) == classes - offset else labels
