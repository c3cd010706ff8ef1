"""The C function ``cpu_has_features``: does this CPU have what the target requires?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.data import fill
from mnv2c.targets.features import AARCH64, X86_64

if TYPE_CHECKING:
    from mnv2c.targets import Target

HERE = Path(__file__).parent

INCLUDES = {"x86_64": "#include <cpuid.h>\n", "aarch64": "#include <sys/auxv.h>\n"}
"""The system headers that the check needs, by architecture."""

AUXILIARY = {1: "AT_HWCAP", 2: "26 /* AT_HWCAP2, which old headers lack */"}
"""The type of each capability word in Linux' auxiliary vector."""


def cpu_check(target: Target) -> tuple[str, str]:
    """``(includes, definitions)`` in C99 for the features in ``target.requires``."""
    conditions = {"x86_64": _x86_64, "aarch64": _aarch64}[target.arch](target.requires)
    if not conditions:
        return "", "static int cpu_has_features(void)\n{\n    return 1; /* any CPU of this architecture will do */\n}"
    template = HERE / f"cpu_{target.arch}.c.in"
    return INCLUDES[target.arch], fill(template, conditions="\n".join(conditions)).rstrip()


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


def _aarch64(requires: Sequence[str]) -> list[str]:
    """One condition per word of capabilities."""
    words: dict[int, list[str]] = {}
    for name in requires:
        words.setdefault(AARCH64[name].word, []).append(name)
    return [
        _condition(f"getauxval({AUXILIARY[word]})", [AARCH64[name].bit for name in names], "ul", ", ".join(names))
        for word, names in words.items()
    ]


def _condition(value: str, bits: Sequence[int], suffix: str, comment: str) -> str:
    mask = f"0x{sum(1 << bit for bit in bits):x}{suffix}"
    return f"    if (lacks({value}, {mask})) {{ /* {comment} */\n        return 0;\n    }}"
