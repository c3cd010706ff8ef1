"""Pointers that walk through memory, several vector registers per load: LD1 of AArch64.

What is called here is defined by `mnv2c.codegen.inlined`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mnv2c.dtypes import FLOAT32
from mnv2c.kernels.ir import Buffer, Index, KernelBuilder, Register, Value, constant

LANES = 4
"""float32 values in a register."""
MOST = 4
"""Registers that one load fills at most."""


class Cursor:
    """A pointer to float32 values that every load moves on."""

    def __init__(self, k: KernelBuilder, buffer: Buffer, index: Index) -> None:
        self._k, self._slot = k, k.stack("int64", 1)
        k.store(self._slot, 0, k.reinterpreted(k.pointer(buffer, index), "int64"))

    @property
    def _pointer(self) -> Value:
        return self._k.pointer(self._slot, 0)

    def take(self, count: int, step: Value | None = None) -> list[Value]:
        """Load ``count`` registers, then move past them, or by ``step`` bytes."""
        k = self._k
        call = k.call(f"float32x{LANES * count}", f"mnv2c_take_{count}", self._pointer, _step(count, step))
        taken = k.bind(call, "taken")
        return [k.part(taken, index * LANES, LANES) if count > 1 else taken for index in range(count)]

    def wait(self, registers: Sequence[Register]) -> None:
        """Load nothing more before the registers have their present values."""
        pointers = (register.pointer for register in registers)
        self._k.run(self._k.call("void", f"mnv2c_wait_{len(registers)}", self._pointer, *pointers))


def hidden(k: KernelBuilder, elements: int) -> Value:
    """Return a distance in bytes that the compiler does not know, so that it stays in a register."""
    return k.bind(k.call("int64", "mnv2c_hide", constant(elements * FLOAT32.bytes, "int64")), "step")


def _step(count: int, step: Value | None) -> Value:
    return constant(count * LANES * FLOAT32.bytes, "int64") if step is None else step
