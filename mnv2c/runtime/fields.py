"""Values out of a ``NAME.json``, each checked: some become sizes of buffers, others arguments of tools or C."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.dtypes import DTYPES

MOST_BYTES = 1 << 40
"""Of a buffer: more than any machine has to give, and far from where products of sizes overflow."""

MOST_DIMENSIONS = 32
MOST_ENTRIES = 1 << 20
"""Of a list."""

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,1023}")
ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}")
EMULATED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._,=-]{0,255})?")
ANY = re.compile(r".*", re.DOTALL)


class FieldError(ValueError):
    """A value that is none; the message names the field."""


def table(raw: Any, name: str) -> Mapping[str, Any]:
    """Return an object of JSON."""
    if not isinstance(raw, Mapping):
        raise FieldError(f"{name} is {shown(raw)} and no object")
    return raw


def get(raw: Mapping[str, Any], name: str) -> Any:
    """Return an entry that must be there."""
    if name not in raw:
        raise FieldError(f"{name} is missing")
    return raw[name]


def text(raw: Mapping[str, Any], name: str, pattern: re.Pattern[str] = ANY) -> str:
    """Return a text all of which ``pattern`` matches."""
    value = get(raw, name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise FieldError(f"{name} is {shown(value)}")
    return value


def whole(raw: Mapping[str, Any], name: str, least: int = 0, most: int = MOST_BYTES) -> int:
    """Return a whole number between ``least`` and ``most``."""
    value = get(raw, name)
    if type(value) is not int or not least <= value <= most:
        raise FieldError(f"{name} is {shown(value)} and no whole number from {least} to {most}")
    return value


def many(raw: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a list."""
    value = get(raw, name)
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise FieldError(f"{name} is {shown(value)} and no list of at most {MOST_ENTRIES}")
    return value


def tables(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a list of objects."""
    return [table(entry, name) for entry in many(raw, name)]


def texts(raw: Mapping[str, Any], name: str, pattern: re.Pattern[str] = ANY) -> tuple[str, ...]:
    """Return a list of texts."""
    return tuple(text({name: entry}, name, pattern) for entry in many(raw, name))


def shape_and_type(raw: Mapping[str, Any]) -> tuple[tuple[int, ...], str]:
    """Return the shape and the numpy dtype of a tensor that some memory may hold."""
    shape = tuple(whole({"shape": extent}, "shape", 1) for extent in many(raw, "shape"))
    dtype = text(raw, "dtype")
    if dtype not in DTYPES:
        raise FieldError(f"dtype is {shown(dtype)}; there are {', '.join(DTYPES)}")
    if len(shape) > MOST_DIMENSIONS or prod(shape) * DTYPES[dtype].bytes > MOST_BYTES:
        raise FieldError(f"shape is {shown(list(shape))}, more than fits a memory")
    return shape, dtype
