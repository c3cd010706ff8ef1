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


class Wordy(SpecError):
    """An error whose message nobody cuts."""

    def __str__(self) -> str:
        return str(self.args[0]) * 3000


def message(path: Path) -> str:
    """A message that is far too long."""
    raise Wordy("too long")


def crash(path: Path) -> str:
    """A fault in C."""
    return str(ctypes.string_at(0) if "x" in path.read_text() else "")


def hang(path: Path) -> str:
    """No end."""
    while "x" in path.read_text():
        pass
    return ""


def memory(path: Path) -> str:
    """More than a gigabyte, even though what happened is then refused politely."""
    held = bytearray(b"x") * (1060 << 20 if "x" in path.read_text() else 1)
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
