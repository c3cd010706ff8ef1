"""Values that parsers stumble over, and damage to bytes and to trees of plain data (what TOML and JSON hold)."""

from __future__ import annotations

from random import Random
from typing import Any

NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 8, 16, 64, 255, 256, 1000, 4096, 32767, 65535, 65536, 10**6, 10**9),
    *(2**31 - 1, 2**31, -(2**31), 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30),
)
FLOATS = (0.0, -0.0, 0.5, 1.0, 1e-7, 1e-320, 1.4, 8.0, 1e6, 1e18, 1e308, float("nan"), float("inf"), float("-inf"))
TEXTS = (
    *("", " ", "0", "-1", "1e9", "nan", "inf", "true", "null", "None", "host", "none", "..", "../x", "/", "\0", "\n"),
    *(
        "*/",
        '"',
        "\\",
        "'",
        "%s%n",
        "${HOME}",
        "\x1b[31m",
        "\u202e",
        "\ud800",
        "\ufeff",
        "é",
        "\U0001d518",
        "a" * 300,
        "x" * 5000,
    ),
    *(
        '"; int evil(void); //',
        "<script>",
        "$(id)",
        "`id`",
        "a\r\nb",
        "a b",
        "-rf",
        "--help",
        "stdio",
        "int",
        "1" * 5000,
    ),
)
"""What a string may be. A half of a surrogate pair cannot be written as UTF-8; writers replace it."""


def value(random: Random) -> Any:
    """Anything that a tree of plain data can hold."""
    kind = random.randrange(8)
    if kind == 0:
        return random.choice((True, False, None))
    if kind in (1, 2):
        return random.choice(NUMBERS)
    if kind == 3:
        return random.choice(FLOATS)
    if kind in (4, 5):
        return random.choice(TEXTS)
    if kind == 6:
        return [value(random) for _ in range(random.choice((0, 1, 2, 3, 4, 20)))]
    return {random.choice(TEXTS): value(random) for _ in range(random.randrange(3))}


def near(old: Any, random: Random) -> Any:
    """A value of the same type that may still be legal, so that what comes behind the first check is reached, too."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return random.choice((old + 1, old - 1, old * 2, old // 2, -old, random.randrange(64), random.choice(NUMBERS)))
    if isinstance(old, float):
        return random.choice((old * 2, old / 2, -old, old + 1e-3, random.random(), random.choice(FLOATS)))
    if isinstance(old, str):
        at = random.randrange(len(old) + 1)
        return random.choice((old[:at], old[at:], old * 2, old.upper(), old[:at] + random.choice(TEXTS) + old[at:]))
    if isinstance(old, list) and old:
        at = random.randrange(len(old))
        return random.choice((old[:at], old[at:], old + old, old[:at] + old[at + 1 :], old[::-1], [*old, old[at]]))
    return value(random)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree that holds a value: a container and its key or index."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, held in items:
            found.append((node, key))
            waiting.append(held)
    return found


def damage_tree(tree: Any, random: Random) -> Any:
    """Change one value of a tree in place, or remove, move, double or rename it; returns the tree."""
    places = _places(tree)
    if not places:
        return value(random)
    node, key = random.choice(places)
    kind = random.randrange(10)
    if kind < 4:
        node[key] = near(node[key], random)
    elif kind < 6:
        node[key] = value(random)
    elif kind == 6:
        del node[key]
    elif kind == 7:
        other, place = random.choice(places)
        copy = _copy(other[place])  # near keeps what a list holds: without a copy that might hold the place itself
        node[key] = near(copy, random) if random.random() < 0.3 else copy
    elif isinstance(node, dict):
        _rename(node, key, random)
    else:
        node.insert(key, _copy(node[key]))
    return tree


def _copy(tree: Any) -> Any:
    """A deep copy that cannot make a tree contain itself."""
    if isinstance(tree, dict):
        return {key: _copy(held) for key, held in tree.items()}
    return [_copy(held) for held in tree] if isinstance(tree, list) else tree


def _rename(node: dict[str, Any], key: str, random: Random) -> None:
    name = random.choice((random.choice(TEXTS), key.upper(), key + "s", key[:-1], random.choice(list(node))))
    held = node[key]
    if random.random() < 0.7:
        del node[key]
    node[name] = _copy(held)


def damage_bytes(content: bytes, random: Random) -> bytes:
    """Flip, cut, double, insert or overwrite."""
    changed = bytearray(content or b"\0")
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at = random.randrange(len(changed) + 1)
        length = random.choice((1, 1, 2, 4, 8, 32, 300))
        kind = random.randrange(8)
        if kind == 0:
            changed[at:] = b""
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            other = random.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + length]
        elif kind == 3:
            changed[at : at + length] = random.randbytes(length)
        elif kind == 4:
            number = random.choice(NUMBERS) % 2**32
            changed[at : at + 4] = number.to_bytes(4, random.choice(("little", "big")))
        elif at < len(changed):
            changed[at] = random.choice((0, 255, changed[at] ^ 1 << random.randrange(8), random.randrange(256)))
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)
