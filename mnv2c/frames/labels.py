"""Names of classes from a text file with one per line."""

from __future__ import annotations

from pathlib import Path
from unicodedata import category

from mnv2c.common.reading import TooLargeError, read_limited
from mnv2c.errors import UserError

MOST_CHARACTERS = 1 << 20
BACKGROUND = "background"
NO_TEXT = ("Cc", "Cs")
"""Unicode's control characters and halves of characters."""


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Return the lines of a text file in UTF-8; UserError where it cannot be read or is something else."""
    try:
        text = read_limited(path, 4 * MOST_CHARACTERS).decode("utf-8-sig").replace("\t", " ")
    except TooLargeError:
        raise _no_labels(path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the labels: {getattr(error, 'strerror', None) or error}") from None
    labels = tuple(line.strip() for line in text.splitlines())
    if len(text) > MOST_CHARACTERS or any(category(sign) in NO_TEXT for label in labels for sign in label):
        raise _no_labels(path)
    return labels


def _no_labels(path: str | Path) -> UserError:
    return UserError(f"{path}: not a file of labels, one per line of text, up to {MOST_CHARACTERS:,} characters")


def by_class(labels: tuple[str, ...], classes: int, offset: int) -> tuple[str, ...]:
    """Return the labels by class; a list that lacks exactly the ``offset`` classes before the first gets those."""
    return (BACKGROUND,) * offset + labels if offset and len(labels) == classes - offset else labels
