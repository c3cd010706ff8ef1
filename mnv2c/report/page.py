"""What every HTML page has in common: its frame and style, a row of key figures, tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnv2c.report.svg import clean, tag

STYLE = Path(__file__).with_suffix(".css")

EMPTY = "&#160;"
"""What an empty cell holds: in HTML only some elements may be closed where they open."""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a page that needs nothing else and is also well-formed XML; ``parts`` are markup, ``title`` is plain."""
    head = tag("meta", charset="utf-8") + tag("meta", name="viewport", content="width=device-width, initial-scale=1")
    head += tag("title", clean(title)) + tag("style", f"\n{STYLE.read_text(encoding='utf-8')}")
    body = tag("body", "\n".join(["", *parts, ""]))
    framed = tag("head", f"\n{head}\n") + "\n" + body
    return f"<!DOCTYPE html>\n{tag('html', framed, lang='en')}\n"


def key_figures(cells: Sequence[tuple[str, str, str]]) -> str:
    """Tiles of a name, a figure and what else is to be said about it; all plain."""
    tiles = (
        tag("div", tag("dt", clean(name)) + tag("dd", clean(value) + tag("small", clean(more))))
        for name, value, more in cells
    )
    return tag("dl", "\n".join(tiles))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[int] = frozenset({0})) -> str:
    """A table of plain texts; the columns in ``left`` are left-aligned, the others hold figures."""

    def cells(kind: str, values: Sequence[str]) -> str:
        kinds = ("left" if column in left else "figure" for column in range(len(values)))
        found = (tag(kind, clean(text) or EMPTY, class_=align) for align, text in zip(kinds, values, strict=True))
        return tag("tr", "".join(found))

    lines = [tag("thead", cells("th", header)), "<tbody>", *(cells("td", row) for row in rows), "</tbody>"]
    return tag("div", tag("table", "\n".join(lines)), class_="table")
