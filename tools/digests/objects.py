"""What a kernel's machine code is, whatever its symbols are called and in whichever order they lie in the object."""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

PC_RELATIVE = {"EM_X86_64": (2, 4), "EM_ARM": (3,), "EM_AARCH64": ()}
"""Types of relocations that count from the place itself: R_X86_64_PC32 and PLT32, R_ARM_REL32."""

IMPLICIT = {2: 0x00000000, 3: 0x00000000, 28: 0xFF000000, 29: 0xFF000000, 43: 0xFFF0F000, 44: 0xFFF0F000}
"""On 32-bit ARM addends lie in the code: the bits that are code, by type (ABS32, REL32, CALL, JUMP24, MOVW, MOVT)."""


@dataclass(frozen=True)
class Function:
    """One kernel: its code without what the linker fills in, and what that refers to."""

    code: str
    constants: str


@dataclass(frozen=True)
class _Section:
    index: int
    name: str
    content: bytes
    entry: int
    """Size of one constant where the linker may merge them, else 0."""


def digest(content: bytes) -> str:
    """The first 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def function(content: bytes, symbol: str) -> Function:
    """Return the function that an object defines under a symbol."""
    return _Object(content).function(symbol)


class _Object:
    def __init__(self, content: bytes) -> None:
        elf = ELFFile(io.BytesIO(content))
        self._machine = str(elf["e_machine"])
        self._sections = {
            index: _Section(index, section.name, section.data(), section["sh_entsize"])
            for index, section in enumerate(elf.iter_sections())
            if section["sh_type"] in ("SHT_PROGBITS", "SHT_NOTE")
        }
        self._symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        self._relocations = dict(_relocations(elf))

    def function(self, name: str) -> Function:
        symbol = next(symbol for symbol in self._symbols if symbol.name == name)
        section = self._sections[symbol["st_shndx"]]
        start = symbol["st_value"] & (~1 if self._machine == "EM_ARM" else ~0)  # the lowest bit says Thumb
        code = bytearray(section.content[start : start + symbol["st_size"]])
        targets = []
        for entry in self._relocations.get(section.index, ()):
            at = entry["r_offset"] - start
            if 0 <= at < len(code):
                addend = self._addend(entry, code, at)
                targets.append(f"{at} {entry['r_info_type']} {self._target(entry, addend)}")
        return Function(digest(bytes(code)), digest("\n".join(sorted(targets)).encode()))

    def _addend(self, entry: Any, code: bytearray, at: int) -> int:
        """The number that is added to the target's address; where it lies in the code it is taken out there."""
        if "r_addend" in entry.entry:
            return int(entry["r_addend"])
        kind, word = entry["r_info_type"], int.from_bytes(code[at : at + 4], "little")
        code[at : at + 4] = (word & IMPLICIT[kind]).to_bytes(4, "little")
        if kind in (43, 44):
            return _signed(word >> 4 & 0xF000 | word & 0xFFF, 16)
        return _signed(word & 0xFFFFFF, 24) << 2 if kind in (28, 29) else _signed(word, 32)

    def _target(self, entry: Any, addend: int) -> str:
        symbol = self._symbols[entry["r_info_sym"]]
        if symbol["st_shndx"] == "SHN_UNDEF":
            return f"{symbol.name} {addend}"
        section = self._sections[symbol["st_shndx"]]
        if symbol["st_info"]["type"] == "STT_FUNC":
            return f"{symbol.name if symbol['st_info']['bind'] == 'STB_WEAK' else 'a kernel'} {addend}"
        place = symbol["st_value"] + addend
        if entry["r_info_type"] in PC_RELATIVE[self._machine] and self._machine == "EM_X86_64":
            place += 4  # from the end of the field; an immediate behind it makes it less than a whole constant
        if section.entry:
            place = -(-place // section.entry) * section.entry
            return digest(section.content[place : place + section.entry])
        return digest(section.content[place : self._end(section, place)])

    def _end(self, section: _Section, place: int) -> int:
        """Where what lies at ``place`` ends: at the next symbol of the section."""
        starts = sorted(symbol["st_value"] for symbol in self._symbols if symbol["st_shndx"] == section.index)
        after = bisect_right(starts, place)
        return starts[after] if after < len(starts) else len(section.content)


def _relocations(elf: Any) -> Iterator[tuple[int, list[Any]]]:
    """The relocations by the number of the section that they change."""
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection):
            yield section["sh_info"], list(section.iter_relocations())


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def members(archive: bytes) -> Mapping[str, bytes]:
    """Return the objects of a static library by name; the GNU form, with long names in a member of their own."""
    found: dict[str, bytes] = {}
    at, names = 8, b""
    while at + 60 <= len(archive):
        head = archive[at : at + 60]
        name, size = head[:16].rstrip(), int(head[48:58])
        body = archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        if name == b"//":
            names = body
        elif name[:1] == b"/" and name[1:].isdigit():
            start = int(name[1:])
            found[names[start : names.index(b"/\n", start)].decode()] = body
        elif name not in (b"/", b"/SYM64/"):
            found[name.rstrip(b"/").decode()] = body
    return found
