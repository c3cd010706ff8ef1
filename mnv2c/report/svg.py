"""Text of SVG and HTML: elements, escaped text, and how wide a text may get."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

CHARACTER = 0.6
"""Width of a character in ems: more than the mean of every common sans-serif font."""


BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes a text run in the other direction, also that behind it."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: Box) -> bool:
        """Whether both cover some place."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def within(self, other: Box) -> bool:
        """Whether no part of it lies outside ``other``."""
        return (
            other.x <= self.x
            and self.x + self.width <= other.x + other.width
            and other.y <= self.y
            and self.y + self.height <= other.y + other.height
        )


def clean(text: str) -> str:
    """Escape text for XML and HTML; a question mark for what XML cannot hold or what turns the text around it."""
    return escape("".join(character if _is_allowed(character) else "?" for character in text))


def _is_allowed(character: str) -> bool:
    code = ord(character)
    if character in BIDIRECTIONAL or 0x7F <= code < 0xA0:
        return False
    return character in "\t\n\r" or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


def tag(name: str, content: str = "", /, **attributes: object) -> str:
    """An element; ``content`` is markup. A trailing or inner ``_`` in a name stands for nothing or a hyphen."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{clean(_value(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{words}>{content}</{name}>" if content else f"<{name}{words}/>"


def _value(value: object) -> str:
    """Coordinates to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def text(x: float, y: float, content: str, /, **attributes: object) -> str:
    """A line of text; ``content`` is plain."""
    return tag("text", clean(content), x=float(x), y=float(y), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, /, **attributes: object) -> str:
    """A straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **attributes)


def rectangle(box: Box, content: str = "", /, **attributes: object) -> str:
    """A rectangle; ``content`` is its title, plain, which browsers show under the pointer."""
    title = tag("title", clean(content)) if content else ""
    return tag("rect", title, x=box.x, y=box.y, width=box.width, height=box.height, **attributes)


def picture(width: float, height: float, parts: list[str], label: str) -> str:
    """An SVG in a box that scrolls where the screen is narrow; ``label`` is for those who cannot see it."""
    view = f"0 0 {width:.0f} {height:.0f}"
    drawn = tag(
        "svg", "\n".join(["", *parts, ""]), viewBox=view, width=f"{width:.0f}", height=f"{height:.0f}", role="img",
        aria_label=label,
    )  # fmt: skip
    return tag("div", drawn, class_="picture")


def text_width(content: str, size: float) -> float:
    """At most how many pixels a text is wide."""
    return len(content) * CHARACTER * size


def fitted(content: str, width: float, size: float) -> str:
    """The text if it fits into ``width`` pixels, else its beginning and an ellipsis, or nothing."""
    room = int(width / (CHARACTER * size))
    if len(content) <= room:
        return content
    return content[: room - 1] + "…" if room > 3 else ""


def byte_size(count: float) -> str:
    """A size for people: 1 kB = 1000 B."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.2f} MB"
