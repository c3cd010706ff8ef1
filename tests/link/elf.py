"""Reads what the tests ask about little-endian ELF shared libraries (System V ABI, chapters 4 and 5)."""

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


@dataclass(frozen=True)
class Layout:
    """The records that differ between 32 and 64 bits, as struct formats.

    ``headers`` and ``counts`` come with their offset in the file; ``order`` puts a segment's fields into that of 64
    bits: type, flags, offset, address, physical address, file size, memory size, alignment; ``symbol_fields`` are the
    places of a symbol's name and section.
    """

    headers: tuple[str, int]
    counts: tuple[str, int]
    segment: str
    order: tuple[int, ...]
    section: str
    entry: str
    symbol: str
    symbol_fields: tuple[int, int]


LAYOUTS = {
    2: Layout(
        ("<QQ", 32), ("<HHH", 56), "<IIQQQQQQ", (0, 1, 2, 3, 4, 5, 6, 7), "<IIQQQQIIQQ", "<QQ", "<IBBHQQ", (0, 3)
    ),
    1: Layout(
        ("<II", 28), ("<HHH", 44), "<IIIIIIII", (0, 6, 1, 2, 3, 4, 5, 7), "<IIIIIIIIII", "<II", "<IIIBBH", (0, 5)
    ),
}


def parse(data: bytes) -> Elf:
    assert data[:4] == b"\x7fELF" and data[5] == 1
    layout = LAYOUTS[data[4]]
    machine = struct.unpack_from("<H", data, 18)[0]
    program_headers, section_headers = struct.unpack_from(layout.headers[0], data, layout.headers[1])
    header_count, _, section_count = struct.unpack_from(layout.counts[0], data, layout.counts[1])
    raw = [_record(layout.segment, data, program_headers, i) for i in range(header_count)]
    segments = [tuple(segment[i] for i in layout.order) for segment in raw]
    # Per section: name, type, flags, address, offset, size, link, info, alignment, entry size.
    sections = [_record(layout.section, data, section_headers, i) for i in range(section_count)]
    kinds = {segment[0]: segment for segment in segments}
    dynamic = kinds[DYNAMIC]
    size = struct.calcsize(layout.entry)
    entries = [_record(layout.entry, data, dynamic[2], i) for i in range(dynamic[5] // size)]
    values = dict(reversed(entries))
    symbols = next(section for section in sections if section[1] == 11)  # SHT_DYNSYM
    strings = sections[symbols[6]][4]

    def text(offset: int) -> str:
        return data[strings + offset : data.index(b"\0", strings + offset)].decode()

    exports, undefined = set(), set()
    for i in range(1, symbols[5] // struct.calcsize(layout.symbol)):
        record = _record(layout.symbol, data, symbols[4], i)
        name, section = (record[field] for field in layout.symbol_fields)
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


def _record(form: str, data: bytes, table: int, index: int) -> tuple[int, ...]:
    return struct.unpack_from(form, data, table + struct.calcsize(form) * index)
