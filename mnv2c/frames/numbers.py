"""Numbers as C literals that mean the same float32 or more."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float) -> str:
    """A literal of type float: nine significant digits tell any two float32 apart."""
    text = f"{float(value):.9g}"
    return (text if any(mark in text for mark in ".e") else f"{text}.0") + "f"


def numbers(values: Sequence[float]) -> str:
    """Several of them, separated by commas."""
    return ", ".join(map(number, values))
