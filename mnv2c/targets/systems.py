"""The systems that libraries are made for: one row per architecture and C library, one entry per operating system."""

from __future__ import annotations

from dataclasses import dataclass

ANDROID_API = 21
"""The first version of Android for 64-bit ARM; all that a library asks of it, it has."""

MACOS = "11.0"
"""The first version of macOS for ARM."""


@dataclass(frozen=True)
class System:
    """An operating system: its object format, and what it calls a shared library and the link to its newest version.

    ``shared`` and ``link`` are patterns with ``{name}`` and ``{abi}``; no ``link`` where there are no versions.
    """

    name: str
    object_format: str
    shared: str
    link: str = ""

    def shared_file(self, name: str, abi: int) -> str:
        """File name of the shared library of ``name`` with interface version ``abi``."""
        return self.shared.format(name=name, abi=abi)

    def own_name(self, name: str, abi: int) -> str:
        """What the shared library calls itself, and programs linked with it ask for."""
        file = self.shared_file(name, abi)
        return f"@rpath/{file}" if self.object_format == "Mach-O" else file

    def link_file(self, name: str) -> str:
        """Name of the symbolic link that a linker looks for; empty where there is none."""
        return self.link.format(name=name)


LINUX = System("Linux", "ELF", "lib{name}.so.{abi}", "lib{name}.so")
ANDROID = System("Android", "ELF", "lib{name}.so")  # packages of applications take only what ends in .so
MACOS_SYSTEM = System("macOS", "Mach-O", "lib{name}.{abi}.dylib", "lib{name}.dylib")


@dataclass(frozen=True)
class Platform:
    """An architecture with a C library: ``triple`` as target files have it, and as zig and LLVM want it.

    ``zig`` may name the lowest ``{glibc}``; ``zig_flags`` keep zig's C to the baseline of the architecture, and
    ``run_time`` is the compiler's own library where that baseline needs functions of it.
    """

    system: System
    triple: str
    zig: str
    llvm: str
    zig_flags: tuple[str, ...] = ()
    run_time: tuple[str, ...] = ()


NO_NEON = ("-mcpu=baseline-neon",)
"""zig's baseline of 32-bit ARM has NEON, which a library must not use before it has looked for it."""

DIVISION = ("-lgcc",)
"""The baseline of 32-bit ARM divides integers by a function; zig takes this name for its own library, too."""

PLATFORMS: dict[tuple[str, str], Platform] = {
    ("x86_64", "gnu"): Platform(LINUX, "x86_64-linux-gnu", "x86_64-linux-gnu.{glibc}", "x86_64-linux-gnu"),
    ("x86_64", "musl"): Platform(LINUX, "x86_64-linux-musl", "x86_64-linux-musl", "x86_64-linux-musl"),
    ("aarch64", "gnu"): Platform(LINUX, "aarch64-linux-gnu", "aarch64-linux-gnu.{glibc}", "aarch64-linux-gnu"),
    ("aarch64", "musl"): Platform(LINUX, "aarch64-linux-musl", "aarch64-linux-musl", "aarch64-linux-musl"),
    ("aarch64", "bionic"): Platform(
        ANDROID, "aarch64-linux-android", "aarch64-linux-android", f"aarch64-linux-android{ANDROID_API}"
    ),
    ("aarch64", "libsystem"): Platform(
        MACOS_SYSTEM, "aarch64-macos", f"aarch64-macos.{MACOS}", f"arm64-apple-macosx{MACOS}.0"
    ),
    ("arm", "gnu"): Platform(
        LINUX, "arm-linux-gnueabihf", "arm-linux-gnueabihf.{glibc}", "arm-linux-gnueabihf", NO_NEON, DIVISION
    ),
    ("arm", "musl"): Platform(
        LINUX, "arm-linux-musleabihf", "arm-linux-musleabihf", "arm-linux-musleabihf", NO_NEON, DIVISION
    ),
}
"""Every platform by architecture and C library: ``bionic`` is Android's, ``libsystem`` that of macOS."""

ARCHITECTURES = tuple(dict.fromkeys(arch for arch, _ in PLATFORMS))


def libcs(arch: str) -> tuple[str, ...]:
    """The C libraries of an architecture."""
    return tuple(libc for known, libc in PLATFORMS if known == arch)
