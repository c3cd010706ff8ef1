"""Parsers with a fault each, by which the tests see that the driver sees faults."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from random import Random

from mnv2c.errors import SpecError
from tests.fuzz.parsers.parser import Parser


def exception(path: Path) -> str:
    """An error that is not the project's own."""
    return str(int(path.read_text()))


def message(path: Path) -> str:
    """A message with a name in it that nobody cut."""
    raise SpecError(f"{path}: {path.read_text() * 3000}")


def crash(path: Path) -> str:
    """A fault in C."""
    return str(ctypes.string_at(len(path.read_text()) // 1000))


def hang(path: Path) -> str:
    """No end."""
    while path:
        pass
    return ""


def memory(path: Path) -> str:
    """More than a gigabyte, even though what happened is then refused politely."""
    held = bytearray(b"x") * (1200 << 20)
    raise SpecError(f"{path}: {len(held)} bytes")


def sound(path: Path) -> str:
    """Nothing wrong."""
    time.sleep(0)
    return path.name


def _mutate(content: bytes, random: Random) -> bytes:
    return content + b"x"


def _seeds() -> list[bytes]:
    return [b"word"]


PLANTED = {
    f"planted_{read.__name__}": Parser(f"planted_{read.__name__}", "input.txt", read, _mutate, _seeds, 1)
    for read in (exception, message, crash, hang, memory, sound)
}
"""By name."""
