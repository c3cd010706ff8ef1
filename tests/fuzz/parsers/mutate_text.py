"""Damage to TOML and JSON files: to their trees, so that the result parses again, or to their text."""

from __future__ import annotations

import json
import tomllib
from random import Random
from typing import Any

from tests.fuzz.parsers.nasty import NUMBERS, TEXTS, damage_bytes, damage_tree

DEEP = 3000
"""Levels of nesting: more than Python's stack has."""
LONGEST = 200_000
"""Bytes of a text that is mutated further."""


def mutate_toml(content: bytes, random: Random) -> bytes:
    """Damage a TOML file."""
    if random.random() < 0.25:
        return _text(content, random)
    try:
        tree: Any = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return _text(content, random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        tree = damage_tree(tree, random)
    return toml_text(tree if isinstance(tree, dict) else {"name": tree}).encode(errors="replace")


def toml_text(table: dict[str, Any]) -> str:
    """Write a table; TOML has no null, which becomes a word that does not parse."""
    return "".join(f"{_key(key)} = {_toml(held)}\n" for key, held in table.items())


def _key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(held: Any) -> str:
    if isinstance(held, bool):
        return str(held).lower()
    if isinstance(held, str):
        return _quoted(held)
    if isinstance(held, list):
        return f"[{', '.join(map(_toml, held))}]"
    if isinstance(held, dict):
        return "{" + ", ".join(f"{_key(str(key))} = {_toml(entry)}" for key, entry in held.items()) + "}"
    return "nothing" if held is None else repr(held)


def mutate_json(content: bytes, random: Random) -> bytes:
    """Damage one JSON value."""
    if random.random() < 0.15:
        return _text(content, random)
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return _text(content, random)
    return json_text(damaged(tree, random), random)


def damaged(tree: Any, random: Random) -> Any:
    """Damage a tree once or a few times."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        tree = damage_tree(tree, random)
    return tree


def json_text(tree: Any, random: Random) -> bytes:
    """Write a tree; NaN and infinity as Python does, sometimes with numbers no float holds."""
    text = json.dumps(tree, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.02:
        text = text.replace("NaN", "1e999")
    return text.encode(errors="replace")


def mutate_lines(content: bytes, random: Random) -> bytes:
    """Damage a file with one JSON value per line."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    kind = random.randrange(6)
    if kind < 4:
        lines[at] = mutate_json(lines[at], random)
    elif kind == 4:
        lines.insert(at, random.choice(lines))
    else:
        return _text(content, random)
    return b"\n".join(lines)


def mutate_words(content: bytes, random: Random) -> bytes:
    """Damage plain lines: one of them becomes anything, or numbers in it change."""
    if random.random() < 0.3:
        return damage_bytes(content, random)
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    word = random.choice((str(random.choice(NUMBERS)), random.choice(TEXTS), f"{random.uniform(-2, 10):.3g}"))
    kept = lines[at][: random.randrange(len(lines[at]) + 1)] if random.random() < 0.3 else b""
    lines[at] = kept + word.encode(errors="replace")
    return b"\n".join(lines)


def _text(content: bytes, random: Random) -> bytes:
    if random.random() < 0.03:
        return random.choice((b"a = " + b"[" * DEEP, b"[" * DEEP, b'{"a":' * DEEP, b"a." * DEEP + b"b = 1"))
    return damage_bytes(content, random)[:LONGEST]
