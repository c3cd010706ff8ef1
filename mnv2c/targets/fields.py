"""What the fields of a target file may hold: all of them end up in commands, file names, C or JSON."""

from __future__ import annotations

import re
from pathlib import Path

from mnv2c.common.escape import shown
from mnv2c.errors import TargetError

MOST_ITEMS = 64
"""Entries of a list."""

WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME = re.compile(WORD)
"""Of a target: a file of records is called so, and C functions are."""

PATTERNS: dict[str, tuple[re.Pattern[str], str]] = {
    "name": (NAME, 'a word of at most 64 letters, digits, ".", "_" and "-", such as "my-board"'),
    "mcpu": (NAME, 'what LLVM calls a CPU, such as "cortex-a76"'),
    "emulator_cpu": (
        re.compile(rf"({WORD}(,[a-z0-9][a-z0-9._-]{{0,31}}(=[a-z0-9]{{1,31}})?){{0,16}})?"),
        'what qemu calls a CPU, such as "cortex-a76" or "max,sve=off"',
    ),
    "glibc": (re.compile(r"2\.[0-9]{1,3}"), 'a version like "2.17"'),
    "cpu_parts": (re.compile(r"0x[0-9a-f]{1,8}"), 'numbers such as "0xd0b"'),
    "features": (re.compile(rf"[+-]{WORD}"), 'what LLVM calls a feature, with + or - before it, such as "+neon"'),
}
"""The whole of a text, and what it must be."""

MOST_TEXT = 2000
"""Characters of any other text, all of which are printable."""

RANGES: dict[str, tuple[int, int]] = {
    "vector_registers": (8, 32),
    "vector_bits": (128, 512),
    "l1d_bytes": (1 << 10, 1 << 30),
    "l2_bytes": (1 << 10, 1 << 30),
    "l3_bytes": (0, 1 << 40),
    "cores": (1, 4096),
    "vector_fmas": (1, 8),
}
"""The least and the most of every number."""


def check_text(name: str, value: object, path: Path) -> str:
    """Return a text that the field ``name`` of the file ``path`` may hold; TargetError."""
    if not isinstance(value, str):
        raise TargetError(f"{path}: {name} must be a string, not {shown(value)}")
    pattern, meaning = PATTERNS.get(name, (None, ""))
    if pattern is not None and not pattern.fullmatch(value):
        raise TargetError(f"{path}: {name} must be {meaning}, not {shown(value)}")
    if len(value) > MOST_TEXT or not value.isprintable():
        raise TargetError(
            f"{path}: {name} must be one line of at most {MOST_TEXT} printable characters, not {shown(value)}"
        )
    return value


def check_whole(name: str, value: object, path: Path) -> int:
    """Return a whole number that the field ``name`` of the file ``path`` may hold; TargetError."""
    least, most = RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise TargetError(f"{path}: {name} must be an integer of at least {least}, not {shown(value)}")
    if value > most:
        raise TargetError(f"{path}: {name} must be an integer of at most {most}, not {shown(value)}")
    return value
