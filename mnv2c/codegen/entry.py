"""The entry C of a library: a readable table of kernel calls and addresses, and the public functions around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.codegen.cpu_check import cpu_checks
from mnv2c.codegen.parallel import part_body, part_parameters, run_texts
from mnv2c.codegen.selftest import Expected, selftest_source
from mnv2c.codegen.variants import needs_auxiliary_vector, variant_texts, word
from mnv2c.common.data import fill
from mnv2c.common.escape import c_comment, c_string
from mnv2c.common.version import __version__
from mnv2c.plan.program import Location, Program, Result, Space, Step

if TYPE_CHECKING:
    from mnv2c.targets import Target

TEMPLATE = Path(__file__).parent / "entry.c.in"

READ_ONLY = frozenset({Space.INPUT, Space.WEIGHTS})


def entry_source(program: Program, name: str, target: Target, outputs: Sequence[Expected]) -> str:
    """The C99 source ``NAME.c``; ``outputs`` are the self-test's values, one entry per output of the program."""
    return library_source([(target, program)], name, outputs)


def library_source(variants: Sequence[tuple[Target, Program]], name: str, outputs: Sequence[Expected]) -> str:
    """The C99 source ``NAME.c`` with the steps of every variant; they differ in kernels, weights and scratch only."""
    targets, program = [target for target, _ in variants], variants[0][1]
    texts = variant_texts(targets, name)
    parts = run_texts(program, name, texts)
    tables = [_Table(own, "" if len(variants) == 1 else word(target.name)) for target, own in variants]
    checks = {"cpu_has_features" if len(variants) == 1 else f"fits_{word(target.name)}": target for target in targets}
    includes, check = cpu_checks(checks, needs_auxiliary_vector(targets))
    return _fold_blank_lines(
        fill(
            TEMPLATE,
            name=name,
            NAME=name.upper(),
            target=c_comment("+".join(map(_title, targets))),
            version=__version__,
            step_count=len(program.steps),
            cpu_includes=includes,
            kernels="\n".join(table.prototypes() for table in tables),
            steps="\n\n".join(table.functions() for table in tables),
            step_tables=_step_tables(tables, parts["run_type"], name),
            **(texts | parts),
            cpu_check=check,
            mark=f"0x{sha256(name.encode()).hexdigest()[:8]}",
            selftest=selftest_source(program, name, outputs),
        )
    )


def _title(target: Target) -> str:
    return target.entry if target.name == target.entry else f"{target.name} ({target.entry})"


@dataclass(frozen=True)
class _Table:
    """The steps of a program in C; ``variant`` is a part of their names where there are several variants."""

    program: Program
    variant: str

    def prototypes(self) -> str:
        return "\n".join(_prototype(kernel, self.program.steps) for kernel in self.program.kernels)

    def functions(self) -> str:
        steps = enumerate(self.program.steps)
        return "\n\n".join(
            _step_function(self._name(index), index, step, self.program.threads) for index, step in steps
        )

    def rows(self) -> str:
        steps = enumerate(self.program.steps)
        return "\n".join(_row(self.program, self._name(index), step) for index, step in steps)

    def _name(self, index: int) -> str:
        return f"{self.variant}_step_{index}" if self.variant else f"step_{index}"


def _step_tables(tables: Sequence[_Table], run_type: str, name: str) -> str:
    """The tables of steps: the one, or one per variant."""
    members = f"struct {{}}{{\n    const char *name;\n    {run_type}\n}}"
    count = f"[{name.upper()}_STEP_COUNT]"
    if len(tables) == 1:
        return f"static const {members.replace('{}', '', 1)} steps{count} = {{\n{tables[0].rows()}\n}};"
    arrays = [f"static const struct step steps_{table.variant}{count} = {{\n{table.rows()}\n}};" for table in tables]
    return "\n\n".join([members.replace("{}", "step ", 1) + ";", *arrays])


def _prototype(kernel: str, steps: Sequence[Step]) -> str:
    """A parameter is const where some step passes what must not be written."""
    calls = [step.arguments for step in steps if step.kernel == kernel]
    parameters = [
        f"{'const void' if any(place.space in READ_ONLY for place in places) else 'void'} *a{position}"
        for position, places in enumerate(zip(*calls, strict=True))
    ]
    cut = next(step.parts for step in steps if step.kernel == kernel)
    return f"extern HIDDEN int32_t {kernel}({', '.join([*parameters, *part_parameters(cut)])});"


def _row(program: Program, function: str, step: Step) -> str:
    numbers = f", {step.parts.phases if step.parts else 1}u, {step.parts.count if step.parts else 1}u"
    return f"    {{{c_string(step.label)}, {function}{numbers if program.threads > 1 else ''}}},"


def _step_function(name: str, index: int, step: Step, threads: int) -> str:
    title = f"{index} {step.label}" + (f": {step.comment}" if step.comment else "")
    lines = [f"/* {c_comment(title)}", *(f" * {c_comment(_result(result))}" for result in step.results)]
    unused = all(place.space is Space.WEIGHTS for place in step.arguments)
    body = part_body(step.parts, step.kernel, ", ".join(map(_address, step.arguments)), threads)
    selects = ", unsigned phase, unsigned part" if threads > 1 else ""
    start = [f"static int32_t {name}(const places *at{selects})", "{", *(["    (void)at;"] if unused else [])]
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


def _fold_blank_lines(text: str) -> str:
    """At most one blank line in a row: an empty part of the template leaves two."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
