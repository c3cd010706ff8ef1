"""Whether a ``NAME.json`` is that of the library beside it: the library carries the same text in its read-only data.

Buffers are made by what the text says, so that one which was changed, or is another library's, would let C write
behind them. What follows in the file, the last entry "checked", tells of the machine that compiled: it is no part of
the library, whose bytes depend on none.
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


CHECKED = b',\n  "checked": ['
"""How the last entry of a ``NAME.json`` begins; `mnv2c.package.to_json` writes it so."""


def own_text(content: bytes) -> bytes:
    """Return the text of a ``NAME.json`` as its library carries it."""
    place = content.rfind(CHECKED)
    return content if place < 0 else content[:place] + b"\n}\n"


def check_belonging(description: Path, content: bytes) -> None:
    """Raise LibraryError unless every file of the library holds ``content``, the text of its ``NAME.json``."""
    for path in libraries(description):
        if not _holds(path, own_text(content) + b"\0"):
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
