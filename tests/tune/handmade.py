"""Candidates in C, good ones and bad ones, for a chain that adds two tensors: quick to build, with known faults."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c import targets
from mnv2c.link.select import static_linker
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.plan.parts import Cut, Parts
from mnv2c.targets import Target
from mnv2c.tune.devices.base import Batch, Form
from mnv2c.tune.measure.candidate import Candidate
from mnv2c.tune.measure.program import link
from mnv2c.tune.measure.sample import expected_of

SHAPE = Shape(8, 16, 64)
CHAIN = Chain("sum", (SHAPE, SHAPE), (Stage("add", StageKind.ADD, ("input_0", "input_1"), SHAPE),), ("add",))
STRIPS = Parts(Cut.STRIPS, 2, ranges=((0, 3), (3, 8)))
PHASES = Parts(Cut.COLUMNS, 2, phases=2)

PLAIN = "int32_t NAME(const float *a, const float *b, float *to) { BODY return 0; }"
ADD = "for (int i = 0; i < N; ++i) to[i] = a[i] + b[i];"


@dataclass(frozen=True)
class Kernel:
    """One candidate's C and how it is called."""

    source: str
    parts: Parts | None = None
    scratch: tuple[int, ...] = ()
    in_place: bool = False


def plain(body: str) -> Kernel:
    return Kernel(PLAIN.replace("BODY", body))


KERNELS = {
    "default": plain(ADD),
    "equal": plain(ADD),
    "slow": plain("for (volatile int k = 0; k < 8; ++k) { " + ADD + ' __asm__ volatile("" ::: "memory"); }'),
    "wrong": plain("for (int i = 0; i < N; ++i) to[i] = a[i] - b[i];"),
    "nan": plain(ADD + ' to[N - 1] = __builtin_nanf("");'),
    "incomplete": plain("for (int i = 0; i + 1 < N; ++i) to[i] = a[i] + b[i];"),
    "crash": plain("*(volatile int *)8 = 1;"),
    "illegal": plain("__builtin_trap();"),
    "hang": plain("for (volatile int forever = 1; forever;) { }"),
    "error": plain(ADD + " return 1;"),
    "overrun": plain(ADD + " to[N + 8] = 1;"),
    "underrun": plain(ADD + " to[-3] = 1;"),
    "worn": plain("static int calls; " + ADD + " if (++calls > 20) to[5] += 1;"),
    "failing": plain("static int calls; " + ADD + " return ++calls > 20;"),
    "exit": Kernel("extern void leave(int code);\n" + PLAIN.replace("BODY", "leave(7);")),
    "strips": Kernel(
        """int32_t NAME(const float *a, const float *b, float *to, float *scratch, int32_t begin, int32_t end)
{
    for (int i = begin * N / 8; i < end * N / 8; ++i) {
        scratch[i % 32] = b[i];
        to[i] = a[i] + scratch[i % 32];
    }
    return 0;
}""",
        STRIPS,
        (128,),
    ),
    "phases": Kernel(
        """int32_t NAME(const float *a, const float *b, float *to, float *scratch, int32_t phase, int32_t part)
{
    for (int i = part; i < N; i += 2) {
        if (phase == 0) scratch[N - 1 - i] = b[i];
        else to[i] = a[i] + scratch[N - 1 - i];
    }
    return 0;
}""",
        PHASES,
        (SHAPE.elements * 4,),
    ),
    "in_place": Kernel(
        "int32_t NAME(float *a, const float *b) { for (int i = 0; i < N; ++i) a[i] += b[i]; return 0; }",
        in_place=True,
    ),
}


def symbol(index: int) -> str:
    return f"candidate_{index}"


def source(names: list[str]) -> str:
    parts = [KERNELS[name].source.replace("NAME", symbol(index)) for index, name in enumerate(names)]
    return "\n".join(["#include <stdint.h>", f"enum {{ N = {SHAPE.elements} }};", *parts, ""])


def candidates(names: list[str], target: Target) -> list[Candidate]:
    """The first one is the default. All are in the object of the first."""
    files = {"kernels.c": source(names).encode()}
    flags = (
        "-std=c99",
        "-O2",
        "-g0",
        "-fPIC",
        "-ffreestanding",
        "-fno-builtin",
        "-fno-sanitize=undefined",
        "-nostdlib",
        "-r",
    )
    whole = static_linker(target.arch).build(files, flags, "kernels.o")
    empty = static_linker(target.arch).build({"empty.c": b"typedef int none;\n"}, flags, "empty.o")
    found = []
    for index, name in enumerate(names):
        kernel = KERNELS[name]
        code = whole if index == 0 else empty
        found.append(Candidate(symbol(index), code, (), kernel.scratch, kernel.parts, kernel.in_place))
    return found


def batch(
    names: list[str], target: str = "host", *, threads: int = 1, form: Form = Form.EXECUTABLE, limit: float = 1.0
) -> Batch:
    """All of ``names``, after the default."""
    chosen = targets.load(target)
    made = candidates(["default", *names], chosen)
    content = link(CHAIN, chosen, threads, made, expected_of(CHAIN), form)
    return Batch(content, tuple(range(1, len(made))), limit)
