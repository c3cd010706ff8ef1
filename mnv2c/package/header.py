"""``NAME.h`` and the example ``main.c``: what a C programmer sees of a library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnv2c import __version__
from mnv2c.data import fill
from mnv2c.plan.program import Port, Program

ABI = 2
"""Version of the C interface; also the number at the end of the SONAME."""

THREADS_NOTE = """Threads share the work only on
 * request: the caller's, or some that NAME_init starts and NAME_deinit ends. The results do not depend on it."""

HEADER = Path(__file__).parent / "library.h.in"
VARIANTS = Path(__file__).parent / "variants.h.in"
EXAMPLE = Path(__file__).parent / "main.c.in"

C_TYPES = {"float32": "float", "int64": "int64_t", "int32": "int32_t", "uint8": "uint8_t"}
LARGEST_VALUES = """\
    for (size_t rank = 0; rank < 5 && rank < outputs; ++rank) {
        size_t best = 0;
        for (size_t i = 1; i < outputs; ++i) if (output[i] > output[best]) best = i;
        printf("%4zu  %f\\n", best, output[best]);
        output[best] = -1e30f;
    }"""
"""What the example prints of numbers: the five largest."""
FREQUENT_CLASSES = """\
    static size_t pixels[256]; /* of every class */
    for (size_t i = 0; i < outputs; ++i) ++pixels[output[i] & 255];
    for (size_t rank = 0; rank < 5; ++rank) {
        size_t best = 0;
        for (size_t i = 1; i < 256; ++i) if (pixels[i] > pixels[best]) best = i;
        if (pixels[best]) printf("%4zu  %f\\n", best, (double)pixels[best] / (double)outputs);
        pixels[best] = 0;
    }"""
"""What it prints of classes: the five with most pixels, and their shares."""


def header_source(program: Program, name: str, meta: Mapping[str, object], frames: str = "") -> str:
    """The self-documenting header; of the metadata it uses ``summary`` and ``target`` (a table with ``name``).

    ``frames`` are the declarations of what the library does with pictures and labels.
    """
    target = meta["target"]
    return fill(
        HEADER,
        name=name,
        NAME=name.upper(),
        summary=str(meta["summary"]).replace("*/", "* /"),
        version=__version__,
        target=target["name"] if isinstance(target, Mapping) else target,
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
    return fill(VARIANTS, name=name, NAME=name.upper(), names=", ".join(names)).rstrip() if names else ""


def example_source(program: Program, name: str) -> str:
    """A C program of about 30 lines that runs the library on a file or a pattern and prints the best five values."""
    upper = name.upper()
    others = [(f"input_{index}", port) for index, port in enumerate(program.inputs) if index]
    others += [(f"output_{index}", port) for index, port in enumerate(program.outputs) if index]
    names = [name for name, _ in others]
    first = program.outputs[0].dtype
    return fill(
        EXAMPLE,
        name=name,
        NAME=upper,
        more="".join(
            f"static {C_TYPES[port.dtype]} {other}[{upper}_{other.upper()}_BYTES / sizeof({C_TYPES[port.dtype]})];\n"
            for other, port in others
        ),
        inputs=", ".join(["input", *(other for other in names if other.startswith("input"))]),
        outputs=", ".join(["output", *(other for other in names if other.startswith("output"))]),
        output_start=", " if first == "float32" else f";\nstatic {C_TYPES[first]} ",
        output_type=C_TYPES[first],
        report=LARGEST_VALUES if first == "float32" else FREQUENT_CLASSES,
    )


def _ports(program: Program) -> list[str]:
    return [
        f'{kind} {index}, "{port.name}": {port.dtype} {port.layout} [{", ".join(map(str, port.shape))}]'
        for kind, ports in (("Input", program.inputs), ("Output", program.outputs))
        for index, port in enumerate(ports)
    ]


def _macros(upper: str, kind: str, ports: tuple[Port, ...]) -> str:
    lines = [f"#define {upper}_{kind}_COUNT {len(ports)}u"]
    for index, port in enumerate(ports):
        lines.append(f"#define {upper}_{kind}_{index}_BYTES {port.bytes}u /* {port.name} */")
    return "\n".join(lines)
