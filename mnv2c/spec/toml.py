"""Model descriptions as TOML text. The keys are ModelSpec's fields; ``resolution`` stands for height and width."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.errors import SpecError, nearest
from mnv2c.spec.model import FAMILY_DEFAULTS, FAMILY_FIELDS, ModelSpec, family_fields

SIZE_FIELDS = ("height", "image_width")
KEYS = ("resolution", *(field.name for field in fields(ModelSpec)))


def parse_resolution(value: Any) -> tuple[int, int]:
    """Return (height, width) from ``224``, ``"224"``, ``"96x160"`` (height x width) or a pair; raises SpecError."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d{1,9})\s*(?:x\s*(\d{1,9}))?\s*", value)):
        height = int(match[1])
        return height, int(match[2]) if match[2] else height
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(extent) is int for extent in value):
        return value[0], value[1]
    raise SpecError(f'resolution is {shown(value)}; give pixels as 224 or "96x160" (height x width)')


def from_toml(text: str, source: str = "spec") -> ModelSpec:
    """Read a description; missing keys take their family's usual values; raises SpecError that names ``source``."""
    try:
        found = _fields(tomllib.loads(text))
        return ModelSpec(**_usual(found) | found)
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:  # tomllib raises both, besides its own kind of ValueError
        raise SpecError(f"{source}: not valid TOML: {' '.join(str(error).split())}") from None


def _usual(found: dict[str, Any]) -> dict[str, Any]:
    """Return the family's usual values; refuse what only another family has."""
    family = found.get("family", "classifier")
    if not isinstance(family, str) or family not in FAMILY_FIELDS:
        return {}  # ModelSpec refuses it
    for key in found:
        if key not in family_fields(family):
            owner = next(owner for owner, names in FAMILY_FIELDS.items() if key in names)
            raise SpecError(f'{key} is for family = "{owner}", and this is a {family}; leave it out')
    return FAMILY_DEFAULTS[family]


def written_fields(text: str) -> frozenset[str]:
    """Return the fields that a valid description writes down rather than leaves to their defaults."""
    return frozenset(_fields(tomllib.loads(text)))


def _fields(table: dict[str, Any]) -> dict[str, Any]:
    """Refuse unknown keys and replace ``resolution`` by the two fields it stands for."""
    for key in table:
        if key not in KEYS:
            raise SpecError(f"unknown key {shown(key)}{nearest(key, KEYS)}; known keys: {', '.join(KEYS)}")
    if "resolution" not in table:
        return table
    for key in SIZE_FIELDS:
        if key in table:
            raise SpecError(f'"resolution" and "{key}" are both given; keep one of them')
    sizes = dict(zip(SIZE_FIELDS, parse_resolution(table["resolution"]), strict=True))
    return {key: value for key, value in table.items() if key != "resolution"} | sizes


def to_toml(spec: ModelSpec) -> str:
    """Write every field of the family, so that the text still means the same should a default ever change."""
    return "".join(f"{name} = {_value(getattr(spec, name))}\n" for name in family_fields(spec.family))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'  # names and choices hold nothing that TOML would have to escape
    if isinstance(value, tuple):
        return "[\n" + "".join(f"    [{', '.join(map(str, row))}],\n" for row in value) + "]"
    return repr(value)
