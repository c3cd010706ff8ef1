"""Whether a ``NAME.json`` is that of the library beside it: the library carries the same text in its read-only data.

Buffers are made by what the text says, so that one which was changed, or is another library's, would let C write
behind them.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from mnv2c.errors import LibraryError


def libraries(description: Path) -> list[Path]:
    """Return the files of the library that ``NAME.json`` describes, without the symbolic links to them."""
    folder, name = description.parent, description.stem
    patterns = (f"lib{name}.a", f"lib{name}.so", f"lib{name}.so.*", f"lib{name}.dylib", f"lib{name}.*.dylib")
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return [path for path in found if not path.is_symlink() and path.is_file()]


def check_belonging(description: Path, content: bytes) -> None:
    """Raise LibraryError unless every file of the library holds ``content``, the text of its ``NAME.json``."""
    for path in libraries(description):
        if not _holds(path, content + b"\0"):
            raise LibraryError(
                f"{description}: was changed, or is not that of {path.name}, which was made with another one; "
                f"compile the model again"
            )


def _holds(path: Path, content: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return mapped.find(content) >= 0
    except ValueError:  # an empty file cannot be mapped
        return False
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
