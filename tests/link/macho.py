"""Reads what the tests ask about 64-bit Mach-O dynamic libraries (Apple's mach-o/loader.h and nlist.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC, ARM64, DYLIB = 0xFEEDFACF, 0x0100000C, 6
SYMTAB, DYLD_INFO, LOAD_DYLIB, ID_DYLIB, SEGMENT, CODE_SIGNATURE, BUILD_VERSION = (
    0x2,
    0x80000022,
    0xC,
    0xD,
    0x19,
    0x1D,
    0x32,
)
MACOS = 1
EXTERNAL, DEFINED, PRIVATE = 0x01, 0x0E, 0x10


@dataclass(frozen=True)
class MachO:
    """A library: its own name, what it needs and exports, its load commands, and the symbols bound on loading."""

    cpu: int
    kind: int
    commands: tuple[int, ...]
    own_name: str
    needed: tuple[str, ...]
    exports: frozenset[str]
    bound: frozenset[str]
    platform: int
    least_version: tuple[int, int]
    segments: tuple[tuple[int, int], ...]


def parse(data: bytes) -> MachO:
    magic, cpu, _, kind, count, total = struct.unpack_from("<IIIIII", data)
    assert magic == MAGIC
    at, found = 32, []
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        found.append((command, at))
        at += size
    assert at == 32 + total  # the commands fill exactly the room that the header gives them
    places = dict(reversed(found))
    platform, least = struct.unpack_from("<II", data, places[BUILD_VERSION] + 8)
    return MachO(
        cpu,
        kind,
        tuple(command for command, _ in found),
        _dylib(data, places[ID_DYLIB]),
        tuple(_dylib(data, place) for command, place in found if command == LOAD_DYLIB),
        _exports(data, places[SYMTAB]),
        _bound(data, places[DYLD_INFO]),
        platform,
        (least >> 16, least >> 8 & 255),
        tuple(struct.unpack_from("<QQ", data, place + 24) for command, place in found if command == SEGMENT),
    )


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def _dylib(data: bytes, at: int) -> str:
    return _text(data, at + struct.unpack_from("<I", data, at + 8)[0])


def _exports(data: bytes, at: int) -> frozenset[str]:
    first, count, strings = struct.unpack_from("<III", data, at + 8)
    records = (struct.unpack_from("<IB", data, first + 16 * index) for index in range(count))
    wanted = EXTERNAL | DEFINED
    return frozenset(
        _text(data, strings + name) for name, kind in records if kind & wanted == wanted and not kind & PRIVATE
    )


NUMBERS = {0x20: 1, 0x60: 1, 0x70: 1, 0x80: 1, 0xA0: 1, 0xC0: 2}
"""How many numbers of variable length follow the binding opcodes that have any; a name follows 0x40."""


def _bound(data: bytes, at: int) -> frozenset[str]:
    """The names in the three lists of bindings: at once, weak, lazy."""
    names = set()
    for offset, size in zip(*[iter(struct.unpack_from("<6I", data, at + 16))] * 2, strict=True):
        place = offset
        while place < offset + size:
            opcode, place = data[place] & 0xF0, place + 1
            if opcode == 0x40:
                names.add(_text(data, place))
                place = data.index(b"\0", place) + 1
            for _ in range(NUMBERS.get(opcode, 0)):
                while data[place] & 0x80:
                    place += 1
                place += 1
    return frozenset(names)
