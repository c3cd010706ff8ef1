"""Reads what the tests ask about 64-bit little-endian ELF shared libraries (System V ABI, chapters 4 and 5)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

DYNAMIC, RELRO, STACK, LOAD = 2, 0x6474E552, 0x6474E551, 1
NEEDED, STRTAB, SYMTAB, SONAME, FLAGS_1 = 1, 5, 6, 14, 0x6FFFFFFB
NOW, EXECUTABLE = 1, 1


@dataclass(frozen=True)
class Elf:
    """The dynamic side of a shared library."""

    machine: int
    exports: frozenset[str]
    undefined: frozenset[str]
    needed: tuple[str, ...]
    soname: str
    binds_now: bool
    relro: bool
    executable_stack: bool
    load_alignments: tuple[int, ...]
    glibc_minors: frozenset[int]


def parse(data: bytes) -> Elf:
    assert data[:6] == b"\x7fELF\x02\x01"
    machine = struct.unpack_from("<H", data, 18)[0]
    program_headers, section_headers = struct.unpack_from("<QQ", data, 32)
    header_count, _, section_count = struct.unpack_from("<HHH", data, 56)
    # Per segment: type, flags, offset, virtual address, physical address, file size, memory size, alignment.
    segments = [struct.unpack_from("<IIQQQQQQ", data, program_headers + 56 * i) for i in range(header_count)]
    # Per section: name, type, flags, address, offset, size, link, info, alignment, entry size.
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, section_headers + 64 * i) for i in range(section_count)]
    kinds = {segment[0]: segment for segment in segments}
    dynamic = kinds[DYNAMIC]
    entries = [struct.unpack_from("<QQ", data, dynamic[2] + 16 * i) for i in range(dynamic[5] // 16)]
    values = dict(reversed(entries))
    symbols = next(section for section in sections if section[1] == 11)  # SHT_DYNSYM
    strings = sections[symbols[6]][4]

    def text(offset: int) -> str:
        return data[strings + offset : data.index(b"\0", strings + offset)].decode()

    exports, undefined = set(), set()
    for i in range(1, symbols[5] // 24):
        name, _, _, section = struct.unpack_from("<IBBH", data, symbols[4] + 24 * i)
        (undefined if section == 0 else exports).add(text(name))
    return Elf(
        machine,
        frozenset(exports),
        frozenset(undefined),
        tuple(text(value) for tag, value in entries if tag == NEEDED),
        text(values[SONAME]),
        bool(values.get(FLAGS_1, 0) & NOW),
        RELRO in kinds,
        bool(kinds[STACK][1] & EXECUTABLE),
        tuple(segment[7] for segment in segments if segment[0] == LOAD),
        frozenset(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", data)),
    )
