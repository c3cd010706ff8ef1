"""What the compiler knows about a CPU and its system: one frozen record per target file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from mnv2c.errors import TargetError, nearest

LIBCS = ("gnu", "musl")
ARCHITECTURES = ("aarch64", "x86_64")

ISA_ARCHITECTURE = {"neon": "aarch64", "avx2": "x86_64", "avx512": "x86_64"}
"""The instruction sets with microkernels, and the architecture of each."""


@dataclass(frozen=True)
class Target:
    """A CPU, its vector unit and caches (bytes), its C library, and the features a library checks at run time.

    ``triple``, ``mcpu`` and ``features`` are LLVM's (``features`` like "+dotprod"); ``requires`` and ``cpu_parts`` use
    the names of Linux' ``/proc/cpuinfo``; ``emulator_cpu`` is qemu's ``-cpu`` name or empty. ``l3_bytes`` may be 0.
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
    entry: str = ""

    @property
    def arch(self) -> str:
        """``aarch64`` or ``x86_64``."""
        return self.triple.split("-")[0]

    @property
    def zig_triple(self) -> str:
        """What ``zig cc -target`` wants; carries the lowest glibc the library is to run on."""
        return f"{self.arch}-linux-gnu.{self.glibc}" if self.libc == "gnu" else f"{self.arch}-linux-musl"

    def with_libc(self, libc: str) -> Target:
        """The same CPU with the C library ``gnu`` or ``musl``; TargetError for any other."""
        if libc not in LIBCS:
            raise TargetError(f'libc "{libc}": unknown; use {" or ".join(LIBCS)}{nearest(libc, LIBCS)}')
        return replace(self, libc=libc, triple=f"{self.arch}-linux-{libc}")

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "arch": self.arch}
