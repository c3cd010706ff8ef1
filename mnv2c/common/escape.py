"""Text from outside on its way into messages and generated files: one function per language that it may reach.

Names, descriptions and labels come from files of unknown origin. What becomes a part of C, of a build file or of a
message passes through here; what becomes an identifier, a file name or an argument of a tool is checked against a
pattern where it is read. HTML and SVG have `mnv2c.report.svg.clean`, JSON has ``json.dumps``, shells ``shlex.quote``.
"""

from __future__ import annotations

import re
import reprlib

LONGEST_NAME = 80
"""Characters of a name or value that a message shows."""

LONGEST_WORD = 400
"""Characters without a space that a message shows, such as a path, and half of it from the beginning."""

LONGEST_MESSAGE = 2000
LONGEST_COMMENT = 400


def visible(text: str) -> str:
    """Show what is not printable as an escape: control characters, marks of direction, halves of characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    if character.isspace() and character not in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "  # a space of another width
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str, most: int) -> str:
    """Cut out the middle of a text of more than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - most // 3]}…{text[len(text) - most // 3 :]}"


def one_line(text: str) -> str:
    """Make a message of one visible line of it, in which long names are cut."""
    words = shortened(text, 4 * LONGEST_MESSAGE).split()
    return shortened(visible(" ".join(shortened(word, LONGEST_WORD) for word in words)), LONGEST_MESSAGE)


def quoted(name: str | bytes) -> str:
    """Return a name for a message: in quotes, on one line, at most ``LONGEST_NAME`` characters of it."""
    text = name[: 4 * LONGEST_NAME + 1].decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    seen = visible(text[: LONGEST_NAME + 1])
    return f'"{seen[:LONGEST_NAME]}…"' if len(seen) > LONGEST_NAME else f'"{seen}"'


def shown(value: object) -> str:
    """Return any value for a message, in Python's words and at most ``LONGEST_NAME`` characters."""
    if isinstance(value, int) and value.bit_length() > 4096:  # Python refuses to write out many digits
        return f"a number of {value.bit_length()} bits"
    try:
        return shortened(visible(_REPR.repr(value)), LONGEST_NAME)
    except (ValueError, RecursionError):  # such a number, or a nest of lists, within
        return f"a {type(value).__name__}"


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = LONGEST_NAME - 2


def c_comment(text: str) -> str:
    """Return text for the inside of a C comment: one visible line that neither ends nor continues anything.

    No ``*/``, ``/*``, trigraph (``??/`` is a backslash) or backslash, which at the end of a line joins the next one.
    """
    line = visible(" ".join(text[: 4 * LONGEST_COMMENT].split())).replace("\\", "/")
    while any(mark in line for mark in ("*/", "/*", "??")):
        line = line.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return shortened(line, LONGEST_COMMENT)


def c_string(text: str) -> str:
    """Return a C string literal of ASCII characters; an octal escape has three digits, so that nothing extends it."""
    content = text.encode("utf-8", "replace").replace(b"\0", b"?")  # NUL would end the string
    plain = (chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in content)
    return f'"{"".join(plain)}"'


def pkg_config(text: str) -> str:
    """Return text for the value of a field or variable of a pkg-config file: one line, no variables, no comment.

    A doubled ``$`` is one to pkg-config and two to pkgconf, so that ``${`` is taken apart instead.
    """
    line = visible(" ".join(text[: 4 * LONGEST_COMMENT].split())).replace("\\", "/")
    return shortened(line, LONGEST_COMMENT).replace("${", "$ {").replace("#", "\\#")


def make_word(path: str) -> str:
    """Return a file name as it stands in a dependency file, by the rules of gcc, which make and ninja follow.

    ValueError for a name that none of them can write: with a control character, or ``;``, behind which make takes what
    follows for a command.
    """
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f;]", path):
        raise ValueError("a control character or a semicolon in a file name")
    spaced = re.sub(r"(\\*)([ \t])", lambda found: found[1] * 2 + "\\" + found[2], path)
    return spaced.replace("#", "\\#").replace("$", "$$")
