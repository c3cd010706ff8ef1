"""``NAME.h``: what a C programmer sees of a library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnv2c.common.data import fill
from mnv2c.common.escape import c_comment
from mnv2c.common.version import __version__
from mnv2c.plan.program import Port, Program

ABI = 2
"""Version of the C interface; also the number at the end of the SONAME."""

THREADS_NOTE = """Threads share the work only on
 * request: the caller's, or some that NAME_init starts and NAME_deinit ends. The results do not depend on it."""

HEADER = Path(__file__).parent / "library.h.in"
VARIANTS = Path(__file__).parent / "variants.h.in"


def header_source(program: Program, name: str, meta: Mapping[str, object], frames: str = "") -> str:
    """The self-documenting header; of the metadata it uses ``summary`` and ``target`` (a table with ``name``).

    ``frames`` are the declarations of what the library does with pictures and labels.
    """
    target = meta["target"]
    return fill(
        HEADER,
        name=name,
        NAME=name.upper(),
        summary=c_comment(str(meta["summary"])),
        version=__version__,
        target=c_comment(str(target["name"] if isinstance(target, Mapping) else target)),
        abi=ABI,
        ports="\n".join(f" * {line}" for line in _ports(program)),
        arena_bytes=program.arena_bytes,
        arena_align=program.arena_alignment,
        threads=program.threads,
        threads_note=THREADS_NOTE.replace("NAME", name) if program.threads > 1 else "It starts no threads.",
        port_macros=_macros(name.upper(), "INPUT", program.inputs)
        + "\n\n"
        + _macros(name.upper(), "OUTPUT", program.outputs),
        step_count=len(program.steps),
        frames=frames,
        variants=_variants(name, [variant["target"]["name"] for variant in _list(meta.get("variants"))]),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _variants(name: str, names: list[str]) -> str:
    """What the header says about kernels for several CPUs."""
    return fill(VARIANTS, name=name, NAME=name.upper(), names=c_comment(", ".join(names))).rstrip() if names else ""


def _ports(program: Program) -> list[str]:
    return [
        f'{kind} {index}, "{c_comment(port.name)}": {port.dtype} {port.layout} [{", ".join(map(str, port.shape))}]'
        for kind, ports in (("Input", program.inputs), ("Output", program.outputs))
        for index, port in enumerate(ports)
    ]


def _macros(upper: str, kind: str, ports: tuple[Port, ...]) -> str:
    lines = [f"#define {upper}_{kind}_COUNT {len(ports)}u"]
    for index, port in enumerate(ports):
        lines.append(f"#define {upper}_{kind}_{index}_BYTES {port.bytes}u /* {c_comment(port.name)} */")
    return "\n".join(lines)
