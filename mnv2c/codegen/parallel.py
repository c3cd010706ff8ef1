"""The C of a library whose work is cut into parts: calls of parts, sharing them out, and the thread pool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.codegen.variants import ONE
from mnv2c.common.data import fill
from mnv2c.common.version import __version__
from mnv2c.plan.parts import Cut, Parts
from mnv2c.plan.program import Program

if TYPE_CHECKING:
    from mnv2c.targets import Target

HERE = Path(__file__).parent

SERIAL: Mapping[str, str] = {
    "run_type": "int32_t (*run)(const places *at);",
    "parallel": "",
    "slots": "SLOT_MARK, SLOT_ARENA, SLOT_CHECK",
    "start_threads": "",
    "stop_threads": "",
}
"""What fills the entry's template where one thread does all the work."""

PARALLEL = {
    "run_type": "int32_t (*run)(const places *at, unsigned phase, unsigned part);\n    unsigned phases, parts;",
    "run_step": "run_step(context, &at, step)",
    "slots": "SLOT_MARK, SLOT_ARENA, SLOT_CHECK, SLOT_POOL, SLOT_PARALLEL_FOR, SLOT_OWN_POOL",
}


def run_texts(program: Program, name: str, steps: Mapping[str, str] = ONE) -> dict[str, str]:
    """Return the parts of the entry's template that depend on how many threads share the work.

    ``steps`` says where the table of steps is: the texts of `mnv2c.codegen.variants`.
    """
    if program.threads == 1:
        return {**SERIAL, "run_step": f"{steps['run_steps']}[step].run(&at)"}
    offset = program.arena_bytes - program.pool_bytes
    values = {"name": name, "NAME": name.upper(), "pool_offset": offset, **steps}
    files = {"parallel": "parallel.c.in", "start_threads": "start.c.in", "stop_threads": "stop.c.in"}
    return PARALLEL | {key: fill(HERE / file, **values).rstrip() for key, file in files.items()}


def threads_source(program: Program, name: str, target: Target) -> dict[str, str]:
    """Return the C99 source of the thread pool by file name; nothing for a library of one thread."""
    if program.threads == 1:
        return {}
    bionic = target.libc == "bionic"
    pool = fill(
        HERE / "threads.c.in",
        name=name,
        version=__version__,
        threads=program.threads,
        pthread=(HERE / "bionic.c.in").read_text("utf-8").rstrip()
        if bionic
        else "#include <pthread.h>\n#include <signal.h>",
        pool_bytes=program.pool_bytes,
    )
    return {f"{name}_threads.c": pool}


def part_parameters(parts: Parts | None) -> tuple[str, ...]:
    """Return what a kernel's prototype has behind its pointers."""
    if parts is None:
        return ()
    return ("int32_t begin", "int32_t end") if parts.cut is Cut.STRIPS else ("int32_t phase", "int32_t part")


def part_body(parts: Parts | None, kernel: str, arguments: str, threads: int) -> list[str]:
    """Return the statements of a step's function that calls ``kernel``, one per line."""
    if parts is None:
        return [*(["    (void)phase;", "    (void)part;"] if threads > 1 else []), f"    return {kernel}({arguments});"]
    if parts.cut is Cut.COLUMNS:
        return [f"    return {kernel}({arguments}, (int32_t)phase, (int32_t)part);"]
    strips = ", ".join(f"{{{begin}, {end}}}" for begin, end in parts.ranges)
    return [
        f"    static const int32_t steps_of[][2] = {{{strips}}};",
        "    (void)phase;",
        f"    return {kernel}({arguments}, steps_of[part][0], steps_of[part][1]);",
    ]
