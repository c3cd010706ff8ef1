"""What differs between object formats: how a file is embedded, and how a shared library is linked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ELF_BLOB = """\
/* {name}: read-only data. sha256 {digest} */
    .section .rodata.{symbol},"a",%progbits
    .balign {alignment}
    .globl {symbol}
    .hidden {symbol}
    .type {symbol}, %object
{symbol}:
    .incbin "{file}"
    .size {symbol}, . - {symbol}
    .section .note.GNU-stack,"",%progbits
"""
"""Assembly that embeds a file. The digest is there because compiler caches do not see through .incbin."""

MACHO_BLOB = """\
/* {name}: read-only data. sha256 {digest} */
    .section __TEXT,__const
    .balign {alignment}
    .globl _{symbol}
    .private_extern _{symbol}
_{symbol}:
    .incbin "{file}"
    .subsections_via_symbols
"""

ELF_SHARED = (
    "-shared", "-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,--no-undefined", "-Wl,--hash-style=gnu",
    "-Wl,--build-id=none", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,max-page-size=16384",
    "-Wl,-Bsymbolic", "-Wl,-S",
)  # fmt: skip
"""For the shared library: hardened, reproducible, and loadable where pages have 16 KB, as on newer Android devices."""

MACHO_SHARED = ("-shared", "-Wl,-dead_strip", "-Wl,-S", "-Wl,-headerpad_max_install_names")


@dataclass(frozen=True)
class ObjectFormat:
    """The assembly that embeds a file, and the flags that link a shared library.

    ``own_name`` is the flag with the library's name for the programs that link with it, ``version`` those with its
    version; ``exports`` is the flag with a file that lists the exported symbols.
    """

    name: str
    blob: str
    shared: tuple[str, ...]
    own_name: str
    version: tuple[str, ...]
    exports: str

    def export_list(self, symbols: Sequence[str]) -> str:
        """The content of the file that ``exports`` names: a version script, or a list."""
        if self.name == "ELF":
            return "{ global: " + " ".join(f"{symbol};" for symbol in symbols) + " local: *; };\n"
        return "".join(f"_{symbol}\n" for symbol in symbols)

    def flags(self, own_name: str, abi: int, exports: str) -> tuple[str, ...]:
        """All flags for a shared library that calls itself ``own_name``; ``exports`` is the list's file."""
        version = (flag.format(abi=abi) for flag in self.version)
        return (*self.shared, self.exports.format(file=exports), self.own_name.format(name=own_name), *version)


ELF = ObjectFormat("ELF", ELF_BLOB, ELF_SHARED, "-Wl,-soname,{name}", (), "-Wl,--version-script={file}")
MACHO = ObjectFormat(
    "Mach-O",
    MACHO_BLOB,
    MACHO_SHARED,
    "-Wl,-install_name,{name}",
    ("-Wl,-compatibility_version,{abi}.0.0", "-Wl,-current_version,{abi}.0.0"),
    "-Wl,-exported_symbols_list,{file}",
)

FORMATS = {form.name: form for form in (ELF, MACHO)}
"""By the name that ``targets.systems`` uses."""
