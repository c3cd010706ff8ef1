"""The C of a library with kernels for several CPUs: which of them there are, and how one is chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.common.data import fill
from mnv2c.common.escape import c_string

if TYPE_CHECKING:
    from mnv2c.targets import Target

HERE = Path(__file__).parent

ONE = {
    "steps_member": "",
    "at_variant": "",
    "any_steps": "steps",
    "at_steps": "steps",
    "work_steps": "steps",
    "run_steps": "steps",
    "lacks_cpu": "!cpu_has_features()",
    "more_slots": "",
    "variants": "",
    "set_variant": "",
}
"""What fills the templates of a library with kernels for one CPU."""

SEVERAL = {
    "steps_member": "\n    const struct step *steps; /* those of the variant that runs */",
    "at_variant": "\n    at.steps = variants[context->opaque[SLOT_VARIANT]].steps;",
    "any_steps": "variants[0].steps",
    "at_steps": "at->steps",
    "work_steps": "mine->at->steps",
    "run_steps": "at.steps",
    "lacks_cpu": "(context->opaque[SLOT_VARIANT] = best_variant()) == VARIANTS",
    "more_slots": ", SLOT_VARIANT",
}

READS_PART = frozenset({"Linux", "Android"})
"""Systems that let 64-bit ARM programs read which core they are on."""


def word(name: str) -> str:
    """Return the name of a target as a part of C names."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def variant_texts(targets: Sequence[Target], name: str) -> dict[str, str]:
    """Return the parts of the templates that depend on how many CPUs the library has kernels for."""
    if len(targets) == 1:
        return ONE
    return SEVERAL | {
        "variants": _table(targets),
        "set_variant": fill(HERE / "set_variant.c.in", name=name, NAME=name.upper()).rstrip(),
    }


def needs_auxiliary_vector(targets: Sequence[Target]) -> bool:
    """Whether choosing among the variants asks the system which core a thread is on."""
    return targets[0].arch == "aarch64" and _by_part(targets)


def _by_part(targets: Sequence[Target]) -> bool:
    """Whether programs can read the part number of their CPU, and a variant was made for one."""
    first = targets[0]
    readable = first.arch == "x86_64" or (first.arch == "aarch64" and first.platform.system.name in READS_PART)
    return readable and len(targets) > 1 and any(target.cpu_parts for target in targets)


def _table(targets: Sequence[Target]) -> str:
    by_part = _by_part(targets)
    most = max(len(target.cpu_parts) for target in targets)
    return fill(
        HERE / "variants.c.in",
        count=f"{len(targets)}, PARTS = {most}" if by_part else len(targets),
        parts_member="\n    unsigned parts[PARTS]; /* of the cores they were made for; 0 for none */"
        if by_part
        else "",
        rows="\n".join(_row(target, by_part) for target in targets),
        cpu_part=_cpu_part(targets[0].arch) if by_part else "",
        by_part=BY_PART if by_part else "",
    ).rstrip()


def _cpu_part(arch: str) -> str:
    """Return the C functions that tell the CPU, and whether a variant was made for it."""
    texts = [(HERE / name).read_text("utf-8") for name in (f"cpu_part_{arch}.c.in", "made_for.c.in")]
    return "\n".join(text.rstrip("\n") for text in texts) + "\n"


BY_PART = """
    const unsigned part = cpu_part();
    for (variant = 0; variant < VARIANTS; ++variant) {
        if (made_for(variant, part) && variants[variant].fits()) {
            return variant;
        }
    }"""


def _row(target: Target, by_part: bool) -> str:
    numbers = ", ".join(f"{int(part, 16):#x}u" for part in target.cpu_parts)
    parts = f", {{{numbers or '0'}}}" if by_part else ""
    return f"    {{{c_string(target.name)}, fits_{word(target.name)}, steps_{word(target.name)}{parts}}},"
