"""The C function ``cpu_has_features``: does this CPU have what the target requires?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.data import fill
from mnv2c.targets.features import HWCAP, X86_64, HwcapBit

if TYPE_CHECKING:
    from mnv2c.targets import Target

HERE = Path(__file__).parent

TEMPLATES = {"x86_64": "cpu_x86_64.c.in", "aarch64": "cpu_hwcap.c.in", "arm": "cpu_hwcap.c.in"}

ANDROID_INCLUDES = """\
/* As in <sys/auxv.h>, which is not at hand where the library is made without Android's development kit. */
#define AT_HWCAP 16
extern unsigned long getauxval(unsigned long type);
"""

AUXILIARY = {1: "AT_HWCAP", 2: "26 /* AT_HWCAP2, which old headers lack */"}
"""The type of each capability word in Linux' auxiliary vector."""


def cpu_check(target: Target) -> tuple[str, str]:
    """``(includes, definitions)`` in C99 for the features in ``target.requires``."""
    system = target.platform.system.name
    if system == "macOS":
        return "", _always("every Mac with such a CPU will do")
    conditions = _x86_64(target.requires) if target.arch == "x86_64" else _hwcap(HWCAP[target.arch], target.requires)
    if not conditions:
        return "", _always("any CPU of this architecture will do")
    return _includes(target.arch, system), fill(
        HERE / TEMPLATES[target.arch], conditions="\n".join(conditions)
    ).rstrip()


def _includes(arch: str, system: str) -> str:
    """What the check needs of the system."""
    if arch == "x86_64":
        return "#include <cpuid.h>\n"
    return ANDROID_INCLUDES if system == "Android" else "#include <sys/auxv.h>\n"


def _always(why: str) -> str:
    return f"static int cpu_has_features(void)\n{{\n    return 1; /* {why} */\n}}"


def _x86_64(requires: Sequence[str]) -> list[str]:
    """One condition per CPUID register, and one for the registers the operating system must save."""
    registers: dict[tuple[int, str], list[str]] = {}
    saved = 0
    for name in requires:
        where = X86_64[name]
        registers.setdefault((where.leaf, where.register), []).append(name)
        saved |= where.xcr0
    conditions = [
        _condition(f"cpuid(0x{leaf:x}u).{register}", [X86_64[name].bit for name in names], "u", ", ".join(names))
        for (leaf, register), names in registers.items()
    ]
    if saved:
        bits = [bit for bit in range(8) if saved >> bit & 1]
        conditions.append(_condition("saved_registers()", bits, "u", "the operating system saves the registers"))
    return conditions


def _hwcap(known: Mapping[str, HwcapBit], requires: Sequence[str]) -> list[str]:
    """One condition per word of capabilities."""
    words: dict[int, list[str]] = {}
    for name in requires:
        words.setdefault(known[name].word, []).append(name)
    return [
        _condition(f"getauxval({AUXILIARY[word]})", [known[name].bit for name in names], "ul", ", ".join(names))
        for word, names in words.items()
    ]


def _condition(value: str, bits: Sequence[int], suffix: str, comment: str) -> str:
    mask = f"0x{sum(1 << bit for bit in bits):x}{suffix}"
    return f"    if (lacks({value}, {mask})) {{ /* {comment} */\n        return 0;\n    }}"
