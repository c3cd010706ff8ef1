"""Finds the folders that users add to, top-level ``targets/`` and ``schedules/``, and fills in templates.

A wheel carries a copy of them inside the package (``mnv2c/data/``, made by hatchling's force-include); an editable
install has no such copy, so the repository root is tried next.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from mnv2c.errors import CompilerError

PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (PACKAGE / "data", PACKAGE.parent)


def folder(name: str) -> Path:
    """Return the folder ``targets`` or ``schedules``; CompilerError when the installation lacks it."""
    for place in PLACES:
        if (place / name).is_dir():
            return place / name
    raise CompilerError(f"{name}/: not part of this installation; looked in {' and '.join(map(str, PLACES))}")


class _Template(Template):
    """Text with ``@{name}`` for what is filled in: neither C nor shell gives ``@`` a meaning."""

    delimiter = "@"


def fill(template: Path, **values: object) -> str:
    """The text of ``template`` with every ``@{name}`` replaced; KeyError for a name without a value."""
    return _Template(template.read_text(encoding="utf-8")).substitute(values)
