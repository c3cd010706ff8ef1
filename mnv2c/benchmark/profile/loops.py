"""The C loops that time and that are timed: steps of a library, fused multiply-adds, reading of memory."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.benchmark.compare import ISAS
from mnv2c.errors import LibraryError
from mnv2c.runtime.frames import aligned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnv2c.runtime import Description, Library

SOURCES = ("peak.c", "stream.c", "steps.c")
HERE = Path(__file__).resolve().parents[1] / "c"
EXPORTS = ("peak_run", "stream_run", "steps_whole", "steps_in_run", "steps_alone", "steps_reading")

PEAK_ROUNDS = 400_000
"""Passes over all accumulators in one measurement of the peak: about a millisecond."""

READINGS = 1000
"""How often the clock is read to find what one reading takes."""

BYTES_PER_MEASUREMENT = 16 << 20
"""A smaller buffer is read as many times as make up this many bytes: about a millisecond."""

CACHE_LINE = 64


def build(description: Description) -> bytes:
    """Compile all loops into one shared library for this machine; LibraryError for an unknown instruction set."""
    from mnv2c.link import select_linker
    from mnv2c.targets import load

    target = description.metadata["target"]
    isa = ISAS.get(target["isa"])
    if isa is None:
        raise LibraryError(f"{description.name}: target {target['name']}: no peak loop for isa {target['isa']!r}")
    sources = {name: f"#define ISA {isa}\n{(HERE / name).read_text(encoding='utf-8')}" for name in SOURCES}
    generic = load({"x86_64": "x86-64-v3", "aarch64": "aarch64"}[description.arch], libc=target["libc"])
    return select_linker(generic).link("loops", sources=sources, objects={}, blobs={}, exports=EXPORTS, abi=1).shared


class Subject(ctypes.Structure):
    """``subject`` of ``c/steps.c``."""

    _fields_ = (
        ("run_steps", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("steps", ctypes.c_uint),
    )


class Stopwatch:
    """Times one library with the loops in a shared library at ``path``; milliseconds everywhere."""

    def __init__(self, path: Path, library: Library, inputs: tuple[NDArray[Any], ...]) -> None:
        """Load the loops; ``library`` is run on ``inputs``."""
        self._loops = ctypes.CDLL(str(path))
        self._loops.peak_run.restype = self._loops.stream_run.restype = ctypes.c_uint64
        self._library = library
        self._call = library.step_call(inputs, library.outputs())
        self.steps = len(library.description.steps)
        self._subject = Subject(*self._call.addresses, self.steps)

    def whole(self) -> float:
        """One run in a single call."""
        return self._timed("steps_whole", 1)[0]

    def in_run(self) -> list[float]:
        """Every step of one run, each with what a reading of the clock takes."""
        return self._timed("steps_in_run", self.steps)

    def alone(self, repeats: int) -> list[list[float]]:
        """Every step, repeated on its own with warm caches: ``repeats`` times per step, each with a reading."""
        times = self._timed("steps_alone", self.steps * repeats, ctypes.c_uint(repeats))
        return [times[step * repeats : (step + 1) * repeats] for step in range(self.steps)]

    def reading(self) -> float:
        """What a reading of the clock and a call add to every step."""
        return self._timed("steps_reading", 1, ctypes.c_uint(READINGS))[0] / READINGS

    def peak(self) -> float:
        """Multiply-adds per second of the loop of fused multiply-adds, in 10⁹."""
        start = time.perf_counter_ns()
        macs: int = self._loops.peak_run(ctypes.c_uint64(PEAK_ROUNDS))
        return macs / (time.perf_counter_ns() - start)

    def bandwidth(self, buffer: NDArray[np.uint8]) -> float:
        """Bytes read per second from ``buffer``, in 10⁹: once if it is large, else often enough to be timed."""
        passes = max(1, BYTES_PER_MEASUREMENT // buffer.nbytes)
        address, size = ctypes.c_void_p(buffer.ctypes.data), ctypes.c_uint64(buffer.nbytes)
        if passes > 1:
            self._loops.stream_run(address, size, ctypes.c_uint64(1))  # brings it into the cache
        start = time.perf_counter_ns()
        read: int = self._loops.stream_run(address, size, ctypes.c_uint64(passes))
        return read / (time.perf_counter_ns() - start)

    def _timed(self, name: str, count: int, *arguments: ctypes.c_uint) -> list[float]:
        found = (ctypes.c_uint64 * count)()
        self._library.check(self._loops[name](ctypes.byref(self._subject), *arguments, found))
        return [value / 1e6 for value in found]


def filled(size: int) -> NDArray[np.uint8]:
    """A buffer whose every page is memory of its own: pages never written to are all the same one."""
    buffer = aligned(size, CACHE_LINE)
    buffer.fill(1)
    return buffer
