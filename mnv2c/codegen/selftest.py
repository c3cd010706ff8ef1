"""The self-test's pattern and expected values, and their C; ``pattern`` is the bit-exact twin of the generated C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnv2c.common.data import fill
from mnv2c.common.escape import c_comment
from mnv2c.dtypes import number_type
from mnv2c.errors import CompilerError
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnv2c.plan.program import Port, Program

TEMPLATE = Path(__file__).parent / "selftest.c.in"

MULTIPLIER, INCREMENT = 1664525, 1013904223
"""The linear congruential generator of Numerical Recipes (chapter 7.1, "An Even Quicker Generator")."""

SPREAD = 8
"""Evenly spread samples per output, besides the one of the largest magnitude."""


FROM_STATE = {
    # Both 24-bit integer to float and the product with a power of two are exact.
    "float32": "(float)((int32_t)(state >> 8) - 8388608) * (1.0f / 8388608.0f)",
    "uint8": "(uint8_t)(state >> 24)",
    "int32": "(int32_t)(state >> 31)",
    "int64": "(int64_t)(state >> 31)",
}
"""How one element of an input follows from the generator's state, by dtype. Integers may be indices: 0 or 1."""


@dataclass(frozen=True)
class Expected:
    """What one output must hold after the self-test: (index, value) pairs within an absolute tolerance."""

    samples: tuple[tuple[int, float], ...]
    tolerance: float


def selftest_input(shape: Sequence[int], dtype: str = "float32", index: int = 0) -> NDArray[np.generic]:
    """The pattern that NAME_selftest writes into input ``index``: float32 in [-1, 1), uint8, or integers 0 and 1."""
    state = _states(prod(shape), index + 1).reshape(shape)
    if dtype == "float32":
        return np.asarray(((state >> 8).astype(np.int32) - 8388608).astype(np.float32) * np.float32(2.0**-23))
    if dtype == "uint8":
        return np.asarray((state >> 24).astype(np.uint8))
    if dtype in ("int32", "int64"):
        return np.asarray((state >> 31).astype(dtype))
    raise CompilerError(f"self-test: no pattern for an input of {dtype}")


def _states(count: int, seed: int) -> NDArray[np.uint32]:
    """The generator's first states at once: a^n seed + c (1 + a + ... + a^(n-1)), modulo 2^32."""
    powers: NDArray[np.uint32] = np.full(count, MULTIPLIER, np.uint32).cumprod(dtype=np.uint32)
    sums: NDArray[np.uint32] = np.concatenate([np.ones(1, np.uint32), powers[:-1]]).cumsum(dtype=np.uint32)
    return powers * np.uint32(seed) + sums * np.uint32(INCREMENT)


def expected(
    reference: NDArray[np.generic], sure: NDArray[np.int64] | None = None, allowed: float = FLOAT32
) -> Expected:
    """Samples of an output of the reference: evenly spread ones and the one of the largest magnitude.

    ``sure`` are the elements to choose from, if not all: classes of which rounding makes no other. A floating-point
    result may be off by ``allowed``, relative to the largest magnitude.
    """
    flat = reference.reshape(-1).astype(np.float64)
    choice = np.arange(flat.size) if sure is None else sure
    if not choice.size:  # any class will do
        return Expected(((0, float(flat[0])),), 2.0 ** (8 * reference.itemsize))
    spread = choice[np.linspace(0, choice.size - 1, min(SPREAD, choice.size)).astype(np.int64)]
    largest = int(choice[np.abs(flat[choice]).argmax()])
    indices = sorted({*map(int, spread), largest})
    exact = np.issubdtype(reference.dtype, np.integer)
    tolerance = 0.0 if exact else allowed * float(np.abs(flat[largest]))
    return Expected(tuple((index, float(flat[index])) for index in indices), tolerance)


def selftest_source(program: Program, name: str, outputs: Sequence[Expected]) -> str:
    """The C of NAME_selftest; ``outputs`` has one entry per output of the program."""
    if len(outputs) != len(program.outputs):
        raise CompilerError(f"self-test: {len(outputs)} expected outputs for a program of {len(program.outputs)}")
    ports = list(enumerate(zip(program.outputs, outputs, strict=True)))
    return fill(
        TEMPLATE,
        name=name,
        NAME=name.upper(),
        samples="\n\n".join(_samples(index, port, output) for index, (port, output) in ports),
        fill_functions="\n\n".join(_fill_function(dtype) for dtype in dict.fromkeys(p.dtype for p in program.inputs)),
        fill_calls="\n".join(
            f"    fill_{port.dtype}"
            f"(({number_type(port.dtype).c_type} *)inputs[{index}], {port.elements}u, {index + 1}u);"
            for index, port in enumerate(program.inputs)
        ),
        checks="\n".join(_check(program, name, index) for index in range(len(outputs))),
    ).rstrip()


def _fill_function(dtype: str) -> str:
    if dtype not in FROM_STATE:
        raise CompilerError(f"self-test: no pattern for an input of {dtype}")
    return f"""\
static void fill_{dtype}({number_type(dtype).c_type} *values, size_t count, uint32_t state)
{{
    size_t i;
    for (i = 0; i < count; ++i) {{
        state = state * {MULTIPLIER}u + {INCREMENT}u;
        values[i] = {FROM_STATE[dtype]};
    }}
}}"""


def _check(program: Program, name: str, index: int) -> str:
    c_type = number_type(program.outputs[index].dtype).c_type
    return f"""\
    for (i = 0; i < sizeof samples_{index} / sizeof samples_{index}[0]; ++i) {{
        const sample want = samples_{index}[i];
        if (!close_to((double)((const {c_type} *)outputs[{index}])[want.index], want.value, TOLERANCE_{index})) {{
            return {name.upper()}_E_SELFTEST;
        }}
    }}"""


def _samples(index: int, port: Port, output: Expected) -> str:
    rows = "\n".join(f"    {{{position}u, {value!r}}}," for position, value in output.samples)
    return f"""\
/* Output {index}, {c_comment(port.name)}. */
#define TOLERANCE_{index} {output.tolerance!r}
static const sample samples_{index}[] = {{
{rows}
}};"""
