"""What the compiler knows about a CPU and its system: one frozen record per target file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from mnv2c.errors import TargetError, nearest
from mnv2c.targets.systems import PLATFORMS, Platform, libcs

ISA_ARCHITECTURE = {"neon": "aarch64", "neon32": "arm", "avx2": "x86_64", "avx512": "x86_64"}
"""The instruction sets with microkernels, and the architecture of each."""

ISA_VECTORS = {"neon": (32, 128), "neon32": (16, 128), "avx2": (16, 256), "avx512": (32, 512)}
"""How many vector registers each has, and their bits."""


@dataclass(frozen=True)
class Target:
    """A CPU, its vector unit and caches (bytes), its C library, and the features a library checks at run time.

    ``triple`` is that of ``systems.PLATFORMS``; ``mcpu`` and ``features`` are LLVM's (``features`` like "+dotprod");
    ``requires`` uses the names of Linux' ``/proc/cpuinfo``; ``glibc`` is the lowest to run on where ``libc`` is "gnu";
    ``emulator_cpu`` is qemu's ``-cpu`` name or empty. ``l3_bytes`` may be 0. ``cpu_parts`` are the CPUs it is for: on
    ARM their part numbers, on x86-64 family and model as one number (0x6cf: family 6, model 0xcf).
    ``vector_fmas`` is how many products of whole vectors a core begins per cycle, beside two loads; one that
    ``adds_apart`` begins as many additions beside them.
    ``entry`` is the target file this comes from: it differs from ``name`` for ``host``.
    """

    name: str
    description: str
    triple: str
    mcpu: str
    features: tuple[str, ...]
    libc: str
    glibc: str
    isa: str
    vector_registers: int
    vector_bits: int
    l1d_bytes: int
    l2_bytes: int
    l3_bytes: int
    cores: int
    requires: tuple[str, ...]
    emulator_cpu: str = ""
    notes: str = ""
    cpu_parts: tuple[str, ...] = ()
    vector_fmas: int = 2
    adds_apart: bool = False
    entry: str = ""

    @property
    def arch(self) -> str:
        """``aarch64``, ``arm`` or ``x86_64``."""
        return self.triple.split("-")[0]

    @property
    def platform(self) -> Platform:
        """The system it is for."""
        return PLATFORMS[self.arch, self.libc]

    @property
    def zig_triple(self) -> str:
        """What ``zig cc -target`` wants; carries the lowest glibc the library is to run on."""
        return self.platform.zig.format(glibc=self.glibc)

    @property
    def llvm_triple(self) -> str:
        """What LLVM calls the platform."""
        return self.platform.llvm

    def with_libc(self, libc: str) -> Target:
        """The same CPU with another C library, one of ``systems.libcs``; TargetError where there is no such system."""
        known = libcs(self.arch)
        if libc not in known:
            raise TargetError(f'libc "{libc}": unknown for {self.arch}; use {" or ".join(known)}{nearest(libc, known)}')
        return replace(self, libc=libc, triple=PLATFORMS[self.arch, libc].triple)

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "arch": self.arch}
