"""The entry C of a library: a readable table of kernel calls and addresses, and the public functions around it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c import __version__
from mnv2c.codegen.cpu_check import cpu_check
from mnv2c.codegen.parallel import part_body, part_parameters, run_texts
from mnv2c.codegen.selftest import Expected, selftest_source
from mnv2c.data import fill
from mnv2c.plan.program import Location, Program, Result, Space, Step

if TYPE_CHECKING:
    from mnv2c.targets import Target

TEMPLATE = Path(__file__).parent / "entry.c.in"

READ_ONLY = frozenset({Space.INPUT, Space.WEIGHTS})


def entry_source(program: Program, name: str, target: Target, outputs: Sequence[Expected]) -> str:
    """The C99 source ``NAME.c``; ``outputs`` are the self-test's values, one entry per output of the program."""
    includes, check = cpu_check(target)
    return _fold_blank_lines(
        fill(
            TEMPLATE,
            name=name,
            NAME=name.upper(),
            target=target.entry if target.name == target.entry else f"{target.name} ({target.entry})",
            version=__version__,
            step_count=len(program.steps),
            cpu_includes=includes,
            kernels="\n".join(_prototype(kernel, program.steps) for kernel in program.kernels),
            steps="\n\n".join(_step_function(index, step, program.threads) for index, step in enumerate(program.steps)),
            step_table="\n".join(_row(program, index, step) for index, step in enumerate(program.steps)),
            **run_texts(program, name),
            cpu_check=check,
            mark=f"0x{sha256(name.encode()).hexdigest()[:8]}",
            selftest=selftest_source(program, name, outputs),
        )
    )


def _prototype(kernel: str, steps: Sequence[Step]) -> str:
    """A parameter is const where some step passes what must not be written."""
    calls = [step.arguments for step in steps if step.kernel == kernel]
    parameters = [
        f"{'const void' if any(place.space in READ_ONLY for place in places) else 'void'} *a{position}"
        for position, places in enumerate(zip(*calls, strict=True))
    ]
    cut = next(step.parts for step in steps if step.kernel == kernel)
    return f"extern HIDDEN int32_t {kernel}({', '.join([*parameters, *part_parameters(cut)])});"


def _row(program: Program, index: int, step: Step) -> str:
    numbers = f", {step.parts.phases if step.parts else 1}u, {step.parts.count if step.parts else 1}u"
    return f'    {{"{step.label}", step_{index}{numbers if program.threads > 1 else ""}}},'


def _step_function(index: int, step: Step, threads: int) -> str:
    title = f"{index} {step.label}" + (f": {step.comment}" if step.comment else "")
    lines = [f"/* {_comment(title)}", *(f" * {_comment(_result(result))}" for result in step.results)]
    unused = all(place.space is Space.WEIGHTS for place in step.arguments)
    body = part_body(step.parts, step.kernel, ", ".join(map(_address, step.arguments)), threads)
    selects = ", unsigned phase, unsigned part" if threads > 1 else ""
    start = [f"static int32_t step_{index}(const places *at{selects})", "{", *(["    (void)at;"] if unused else [])]
    return "\n".join([f"{chr(10).join(lines)} */", *start, *body, "}"])


def _result(result: Result) -> str:
    where = result.location
    index = f" {where.index}" if where.space in (Space.INPUT, Space.OUTPUT) else ""
    shape = "x".join(map(str, result.shape))
    tensor = f' = ONNX tensor "{result.onnx_name}"' if result.onnx_name else ""
    return f"leaves {shape} {result.dtype} at {where.space}{index} + {where.offset}{tensor}"


def _address(place: Location) -> str:
    match place.space:
        case Space.INPUT | Space.OUTPUT:
            return f"{place.space.name}({place.index}, {place.offset}u)"
        case Space.ARENA | Space.WEIGHTS:
            return f"{place.space.name}({place.offset}u{f' + part * {place.stride}u' if place.stride else ''})"


def _comment(text: str) -> str:
    """Text that cannot end a C comment early, nor break its line."""
    return " ".join(text.replace("*/", "* /").split())


def _fold_blank_lines(text: str) -> str:
    """At most one blank line in a row: an empty part of the template leaves two."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
