"""Compiles kernels for this machine, whatever instruction set they are written for, and runs them among guard pages.

LLVM legalises 16-lane and 4-lane vectors for a CPU with 8 lanes, so every provider's kernels run on every machine.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c import targets
from mnv2c.codegen.object import build_object
from mnv2c.kernels.chain import emit_chain, pack_weights
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.link import select_linker
from mnv2c.plan.chain import input_name
from tests.kernels.chains import Case

Array = np.ndarray[Any, Any]

PAGE = mmap.PAGESIZE
CANARY = np.uint32(0x7FC0BEEF)
"""A quiet NaN: what is read from beside a buffer spoils the result, what is written there shows."""
FOLLOWING = 10_000
"""Bytes behind the weights that kernels fetch: there is a page that nobody may read, which prefetching does not."""
SYMTAB = 2

libc = ctypes.CDLL(None, use_errno=True)


def undefined(content: bytes) -> set[str]:
    """The symbols an ELF object needs from elsewhere."""
    table = struct.unpack_from("<Q", content, 40)[0]
    count = struct.unpack_from("<H", content, 60)[0]
    # Per section: name, type, flags, address, offset, size, link, info, alignment, entry size.
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, table + 64 * index) for index in range(count)]
    symbols = next(section for section in sections if section[1] == SYMTAB)
    names = sections[symbols[6]][4]
    found = set()
    for at in range(symbols[4] + 24, symbols[4] + symbols[5], 24):
        name, _, _, section = struct.unpack_from("<IBBH", content, at)
        if section == 0:
            found.add(content[names + name : content.index(b"\0", names + name)].decode())
    return found


def load(functions: Mapping[str, Any], folder: Path) -> ctypes.CDLL:
    """Compile TIR functions into one shared library and load it; they need nothing but memcpy and memset."""
    target = targets.load("host")
    content = build_object(functions, target).content
    assert undefined(content) <= {"memcpy", "memset"}
    linked = select_linker(target).link(
        "kernels", sources={}, objects={"kernels_tir.o": content}, blobs={}, exports=list(functions), abi=1
    )
    path = folder / "libkernels.so"
    path.write_bytes(linked.shared)
    return ctypes.CDLL(str(path))


class Guarded:
    """A buffer of exactly ``elements`` values, NaN at first, canaries before it and an unreadable page behind it.

    With the values' own ``alignment``, the default, it ends at that page, as a caller's buffer may. The memory is
    shared with forked processes.
    """

    def __init__(self, elements: int, alignment: int = 0, dtype: str = "float32") -> None:
        size = elements * np.dtype(dtype).itemsize
        alignment = alignment or np.dtype(dtype).itemsize
        pages = -(-size // PAGE) + 1
        self._map = mmap.mmap(-1, (pages + 1) * PAGE)
        whole = np.frombuffer(self._map, np.uint8, pages * PAGE)
        whole.view(np.uint32)[:] = CANARY
        self._canaries = whole.copy()
        start = (pages * PAGE - size) // alignment * alignment
        self.values = whole[start : start + size].view(dtype)
        self._whole, self._start, self._end = whole, start, start + size
        self.address = whole.ctypes.data + start
        assert libc.mprotect(ctypes.c_void_p(whole.ctypes.data + pages * PAGE), PAGE, 0) == 0

    def fill(self, values: Array) -> Guarded:
        self.values[:] = values.ravel()
        return self

    @property
    def intact(self) -> bool:
        """Whether nothing beside the buffer was written."""
        before, behind = slice(0, self._start), slice(self._end, None)
        return all(np.array_equal(self._whole[part], self._canaries[part]) for part in (before, behind))


class Call:
    """A kernel's arguments, in the order ``emit_chain`` documents."""

    def __init__(self, case: Case) -> None:
        self.case, self.layout = case, kernel_layout(case.chain, case.schedule, case.provider)
        chain = self.layout.chain
        self.inputs = [Guarded(value.size).fill(self.stored(index, value)) for index, value in enumerate(case.inputs)]
        shared = self.inputs[:1] if chain.in_place else []
        stages = [chain.stage(name) for name in chain.outputs]
        shapes = [stage.shape for stage in stages]
        self.results = shared + [Guarded(stage.shape.elements, dtype=stage.dtype) for stage in stages[len(shared) :]]
        self.weights = [Guarded(packed.size, 64).fill(packed) for packed in pack_weights(self.layout, case.weights)]
        self.rings = [Guarded(elements, 64) for elements in self.layout.scratch]
        self.shapes = [(shape.rows, shape.columns, shape.channels) for shape in shapes]

    def stored(self, index: int, value: Array) -> Array:
        """The value in the order its buffer has."""
        return value.transpose(2, 0, 1) if self.layout.chain.is_planar(input_name(index)) else value

    @property
    def buffers(self) -> list[Guarded]:
        return [*self.inputs, *self.results[1 if self.layout.chain.in_place else 0 :], *self.weights, *self.rings]

    def run(self, kernel: Any, *more: int) -> int:
        return int(kernel(*(ctypes.c_void_p(at) for at in (*(buffer.address for buffer in self.buffers), *more))))

    def outputs(self) -> list[Array]:
        return [result.values.reshape(shape) for result, shape in zip(self.results, self.shapes, strict=True)]


def emit(layout: KernelLayout, index: int) -> dict[str, Any]:
    """One kernel under the symbol that ``run`` calls it by; it fetches what follows its weights, if its unit can."""
    return {f"kernel_{index}": emit_chain(layout, f"kernel_{index}", following=FOLLOWING)}


def run(calls: Sequence[Call], folder: Path) -> None:
    """Compile and execute the kernels of ``calls``."""
    functions: dict[str, Any] = {}
    for index, call in enumerate(calls):
        functions |= emit(call.layout, index)
    execute(load(functions, folder), calls)


def execute(library: ctypes.CDLL, calls: Sequence[Call], more: Sequence[int] = ()) -> None:
    """Run the kernels in a child process, which alone dies if one leaves its memory.

    ``more`` holds one further pointer argument per call.
    """
    progress = Guarded(1)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for index, call in enumerate(calls):
                progress.values[0] = index
                if call.run(library[f"kernel_{index}"], *more[index : index + 1]) != 0:
                    break
            else:
                status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"exit code {code} in {calls[int(progress.values[0])].case}"
