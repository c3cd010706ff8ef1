"""CPU features a library may require: Linux' name and where the CPU or the kernel reports it at run time.

Sources: Intel SDM volume 2A "CPUID" and AMD APM volume 3 appendix E; Linux ``arch/arm64/include/uapi/asm/hwcap.h`` and
``arch/arm/include/uapi/asm/hwcap.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

XCR0_YMM = 0x06
"""The operating system saves xmm and ymm registers."""

XCR0_ZMM = 0xE6
"""The operating system saves xmm, ymm, zmm and mask registers."""


@dataclass(frozen=True)
class CpuidBit:
    """Bit ``bit`` of ``register`` of a CPUID leaf (subleaf 0), usable if XCR0 has all of ``xcr0``."""

    leaf: int
    register: str
    bit: int
    xcr0: int = 0


@dataclass(frozen=True)
class HwcapBit:
    """A bit of the auxiliary vector's AT_HWCAP (``word`` 1) or AT_HWCAP2 (``word`` 2)."""

    word: int
    bit: int


X86_64: dict[str, CpuidBit] = {
    "pni": CpuidBit(1, "ecx", 0),
    "ssse3": CpuidBit(1, "ecx", 9),
    "fma": CpuidBit(1, "ecx", 12, XCR0_YMM),
    "cx16": CpuidBit(1, "ecx", 13),
    "sse4_1": CpuidBit(1, "ecx", 19),
    "sse4_2": CpuidBit(1, "ecx", 20),
    "movbe": CpuidBit(1, "ecx", 22),
    "popcnt": CpuidBit(1, "ecx", 23),
    "avx": CpuidBit(1, "ecx", 28, XCR0_YMM),
    "f16c": CpuidBit(1, "ecx", 29, XCR0_YMM),
    "bmi1": CpuidBit(7, "ebx", 3),
    "avx2": CpuidBit(7, "ebx", 5, XCR0_YMM),
    "bmi2": CpuidBit(7, "ebx", 8),
    "avx512f": CpuidBit(7, "ebx", 16, XCR0_ZMM),
    "avx512dq": CpuidBit(7, "ebx", 17, XCR0_ZMM),
    "avx512cd": CpuidBit(7, "ebx", 28, XCR0_ZMM),
    "avx512bw": CpuidBit(7, "ebx", 30, XCR0_ZMM),
    "avx512vl": CpuidBit(7, "ebx", 31, XCR0_ZMM),
    "avx512_vnni": CpuidBit(7, "ecx", 11, XCR0_ZMM),
    "abm": CpuidBit(0x80000001, "ecx", 5),
}

AARCH64: dict[str, HwcapBit] = {
    "asimd": HwcapBit(1, 1),
    "crc32": HwcapBit(1, 7),
    "atomics": HwcapBit(1, 8),
    "fphp": HwcapBit(1, 9),
    "asimdhp": HwcapBit(1, 10),
    "asimdrdm": HwcapBit(1, 12),
    "jscvt": HwcapBit(1, 13),
    "fcma": HwcapBit(1, 14),
    "lrcpc": HwcapBit(1, 15),
    "sha3": HwcapBit(1, 17),
    "asimddp": HwcapBit(1, 20),
    "asimdfhm": HwcapBit(1, 23),
    "ilrcpc": HwcapBit(1, 26),
    "flagm": HwcapBit(1, 27),
    "frint": HwcapBit(2, 8),
    "i8mm": HwcapBit(2, 13),
    "bf16": HwcapBit(2, 14),
}

ARM: dict[str, HwcapBit] = {
    "neon": HwcapBit(1, 12),
    "vfpv3": HwcapBit(1, 13),
    "vfpv4": HwcapBit(1, 16),
    "idiva": HwcapBit(1, 17),
    "idivt": HwcapBit(1, 18),
    "vfpd32": HwcapBit(1, 19),
}

HWCAP: dict[str, dict[str, HwcapBit]] = {"aarch64": AARCH64, "arm": ARM}
"""The features that Linux reports, by architecture."""

KNOWN: dict[str, tuple[str, ...]] = {"x86_64": tuple(X86_64), **{arch: tuple(bits) for arch, bits in HWCAP.items()}}
"""The feature names of each architecture."""
