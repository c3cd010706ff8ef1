"""A library whose faults show: what is read before it is written, or beside a buffer; parts that need another part."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import LibraryError
from mnv2c.runtime.description import Description
from mnv2c.runtime.library import Library, Threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSET = 0xFF
"""Every byte of what is not written yet: NaN as float32 and float16, -1 as a signed integer."""

BESIDE = 256
"""Bytes before and behind each input and output: more than the widest vectors, and a multiple of them."""

TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint)
PARALLEL_FOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint)
"""The types of ``task`` and ``parallel_for`` in ``NAME_threads``."""


class Guarded(Library):
    """Its arena, its outputs, and what lies beside inputs and outputs hold NaN before they are used.

    One context serves all calls, so what a run finds of the one before shows as well. ``backwards``: the parts of
    every phase run one after the other, the last one first, so that a part which needs another's results shows.
    """

    def __init__(self, description: Description, threads: int = 1, *, backwards: bool = False) -> None:
        """As `Library`."""
        self._backwards = PARALLEL_FOR(_backwards) if backwards else None
        super().__init__(description, threads)

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        """Run once, as `Library` does; LibraryError if bytes beside an output are written."""
        self.description.checked(inputs)
        ports = self.description.outputs
        blocks = [_block(port.bytes) for port in ports]
        outputs = tuple(
            _inside(block).view(port.dtype).reshape(port.shape) for block, port in zip(blocks, ports, strict=True)
        )
        self.run_into(tuple(_guarded(value) for value in inputs), outputs)
        for block, port in zip(blocks, ports, strict=True):
            if not (block[:BESIDE] == UNSET).all() or not (block[-BESIDE:] == UNSET).all():
                raise LibraryError(f"{self.description.name}: wrote beside its output {port.name}")
        return outputs[0] if len(outputs) == 1 else outputs

    def outputs(self) -> tuple[NDArray[Any], ...]:
        """New arrays for the outputs, not written yet."""
        made = super().outputs()
        for value in made:
            value.view(np.uint8)[...] = UNSET
        return made

    def _new_arena(self) -> NDArray[np.uint8]:
        arena = super()._new_arena()
        arena[...] = UNSET
        return arena

    def _sharing(self) -> Threads:
        if self._backwards is None:
            return super()._sharing()
        return Threads(None, self.threads, ctypes.cast(self._backwards, ctypes.c_void_p))


def _backwards(_pool: int, task: int, arg: int, tasks: int) -> None:
    run = TASK(task)
    for index in reversed(range(tasks)):
        run(arg, index)


def _block(size: int) -> NDArray[np.uint8]:
    return np.full(size + 2 * BESIDE, UNSET, np.uint8)


def _inside(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return block[BESIDE : len(block) - BESIDE]


def _guarded(value: NDArray[Any]) -> NDArray[Any]:
    block = _block(value.nbytes)
    _inside(block)[:] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    return _inside(block).view(value.dtype).reshape(value.shape)
