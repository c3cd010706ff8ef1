"""Texts made of what ends or begins something in C, build files and shells; and C without its comments and strings."""

from __future__ import annotations

import re

from hypothesis import strategies as st

PIECES = (
    "*/", "/*", "//", "*", "/", "\\", "\\\n", "??/", "??/\n", "?", '"', "'", "\n", "\r", "\t", "\0", "\x1b[0m", "\x7f",
    "%", "%s", "%:", "<%", "$", "$$", "${prefix}", "$(id)", "`id`", "@{name}", "#", "#include <x.h>", "#error", ";",
    "evil", " ", "  ", "(", ")", "{", "}", ",", "=", ":", "&", "<", ">", "<script>", "&amp;", "]]>", "-->", "é", "☃",
    "\u202e", "\u2066", "\u2028", "\u00a0", "\u200d", "\ufeff", "\ud800", "\udcff", "\U0001f600", "\x80", "\\u000a",
    "R\"(", "//\\\n", "*\\\n/", "*??/\n/",
)  # fmt: skip

TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join)

CHOSEN = (
    "*/ evil /*", "*\\\n/ evil /*", "*??/\n/ evil /*", "\\", "x\\", "??/", '"; evil; "', '\\"; evil; "',
    "\n#error evil\n", "//", "/*", "**//**", "*/*", "/*/", "\0evil", "${prefix}/evil", "$(evil)", "# evil",
    "\u202e evil", "\ud800", "*" * 500, "*/" * 500, "\r\n#define evil", "@{name}", "x" * 5000,
)  # fmt: skip
"""Each did, or might, break out of what it stands in."""

TRIGRAPHS = {"=": "#", "/": "\\", "'": "^", "(": "[", ")": "]", "!": "|", "<": "{", ">": "}", "-": "~"}
TOKEN = re.compile(r'(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.DOTALL)


def bare(source: str) -> str:
    """The C that is left: trigraphs and joined lines as a compiler takes them, no comments, every string the same."""
    text = re.sub(r"\?\?([=/'()!<>-])", lambda found: TRIGRAPHS[found[1]], source)
    text = text.replace("\\\n", "")
    text = TOKEN.sub(lambda found: " " if found[1] else '""', text)
    return " ".join(text.split())
