"""Reading of small files of unknown origin: never more of them than is worth looking at."""

from __future__ import annotations

import os
from pathlib import Path


class TooLargeError(ValueError):
    """A file is larger than anything that it may hold."""


def read_limited(path: str | Path, most: int) -> bytes:
    """Return the content of a file of at most ``most`` bytes; OSError, or TooLargeError for a larger one."""
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(2, os.strerror(2), str(path)) from error
    if len(content) > most:
        raise TooLargeError(f"more than {most:,} bytes")
    return content
