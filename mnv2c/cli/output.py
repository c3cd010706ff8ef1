"""Printing of figures and tables to stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mnv2c.common.escape import visible


def say(text: str, end: str = "\n") -> None:
    """Print a line in which nothing steers the terminal: names come from files."""
    print(visible(text), end=end)


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON; in ASCII only where it holds what a terminal or UTF-8 might not take."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    plain = text.replace("\n", "").isprintable()
    print(text if plain else json.dumps(value, indent=2, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Print left-aligned columns two spaces apart; the columns in ``right`` are right-aligned."""
    lines = [[visible(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def size(count: int) -> str:
    """Return a size in bytes for people: 1 kB = 1000 B."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.2f} MB"
