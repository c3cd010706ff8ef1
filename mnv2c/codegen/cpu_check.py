"""The C functions that answer: does this CPU have what a target requires?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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


def cpu_checks(functions: Mapping[str, Target], auxiliary: bool = False) -> tuple[str, str]:
    """``(includes, definitions)`` in C99 of functions by name, each for what a target requires.

    All targets are for one system; ``auxiliary`` says that other code needs its auxiliary vector.
    """
    first = next(iter(functions.values()))
    bodies = {name: _conditions(target) for name, target in functions.items()}
    asks = any(bodies.values())
    helpers = [(HERE / TEMPLATES[first.arch]).read_text("utf-8").rstrip()] if asks else []
    definitions = [_function(name, functions[name], conditions) for name, conditions in bodies.items()]
    includes = _includes(first.arch, first.platform.system.name) if asks or auxiliary else ""
    return includes, "\n\n".join([*helpers, *definitions])


def _conditions(target: Target) -> list[str]:
    if target.platform.system.name == "macOS":
        return []
    return _x86_64(target.requires) if target.arch == "x86_64" else _hwcap(HWCAP[target.arch], target.requires)


def _function(name: str, target: Target, conditions: Sequence[str]) -> str:
    if conditions:
        return "\n".join([f"static int {name}(void)", "{", *conditions, "    return 1;", "}"])
    mac = target.platform.system.name == "macOS"
    why = "every Mac with such a CPU will do" if mac else "any CPU of this architecture will do"
    return f"static int {name}(void)\n{{\n    return 1; /* {why} */\n}}"


def _includes(arch: str, system: str) -> str:
    """What the check needs of the system."""
    if arch == "x86_64":
        return "#include <cpuid.h>\n"
    return ANDROID_INCLUDES if system == "Android" else "#include <sys/auxv.h>\n"


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
