"""Makes symbols of a Mach-O object private to the library it is linked into.

On ELF a declaration as hidden is enough; on macOS only the definition counts, and the kernels are defined by LLVM.
Layout: Apple's ``mach-o/loader.h`` and ``mach-o/nlist.h``.
"""

from __future__ import annotations

import struct

from mnv2c.errors import LinkerError

MAGIC_64 = 0xFEEDFACF
LC_SYMTAB = 2
HEADER_BYTES = 32
SYMBOL_BYTES = 16
DEFINED, EXTERNAL, PRIVATE = 0x0E, 0x01, 0x10


def hide_definitions(content: bytes) -> bytes:
    """The same object with every external definition marked as private; LinkerError if it is no Mach-O object."""
    if len(content) < HEADER_BYTES or struct.unpack_from("<I", content)[0] != MAGIC_64:
        raise LinkerError("the kernels' object is not a 64-bit Mach-O file; compile for another target")
    changed = bytearray(content)
    at = HEADER_BYTES
    for _ in range(struct.unpack_from("<I", content, 16)[0]):  # load commands
        command, size = struct.unpack_from("<II", content, at)
        if command == LC_SYMTAB:
            first, count = struct.unpack_from("<II", content, at + 8)
            for index in range(count):
                kind = first + index * SYMBOL_BYTES + 4  # behind the name's offset
                if changed[kind] & EXTERNAL and changed[kind] & DEFINED:
                    changed[kind] |= PRIVATE
        at += size
    return bytes(changed)
