"""Damage to safetensors files: to the header's tree and the card within, with a length that fits it, or to bytes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz.parsers.mutate_text import damaged, json_text, mutate_toml
from tests.fuzz.parsers.nasty import NUMBERS, damage_bytes

CARD = "mnv2c"


def mutate_safetensors(content: bytes, random: Random) -> bytes:
    """Damage a safetensors file."""
    kind = random.randrange(10)
    length = int.from_bytes(content[:8], "little")
    if kind == 0 or length > len(content):
        return damage_bytes(content, random)
    header, data = content[8 : 8 + length], content[8 + length :]
    if kind == 1:
        wrong = random.choice((*NUMBERS, length + 1, length - 1, len(content))) % 2**64
        return wrong.to_bytes(8, "little") + content[8:]
    if kind == 2:
        return content[:8] + header + damage_bytes(data, random)
    try:
        tree: Any = json.loads(header)
    except (ValueError, RecursionError):
        return damage_bytes(content, random)
    return whole(_header(tree, kind, random), data, random)


def whole(tree: Any, data: bytes, random: Random) -> bytes:
    """The file of a header and data."""
    text = json_text(tree, random)
    return len(text).to_bytes(8, "little") + text + data


def _header(tree: Any, kind: int, random: Random) -> Any:
    metadata = tree.get("__metadata__") if isinstance(tree, dict) else None
    card = metadata.get(CARD) if isinstance(metadata, dict) else None
    if kind < 6 or not isinstance(card, str):
        return damaged(tree, random)
    try:
        inner = json.loads(card)
    except (ValueError, RecursionError):
        return damaged(tree, random)
    if kind < 8 or not isinstance(inner, dict) or not isinstance(inner.get("spec"), str):
        inner = damaged(inner, random)
    else:
        inner["spec"] = mutate_toml(inner["spec"].encode(errors="replace"), random).decode(errors="replace")
    metadata[CARD] = json.dumps(inner)
    return tree
