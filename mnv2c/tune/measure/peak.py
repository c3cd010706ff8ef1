"""The multiply-adds that this machine can do per second: what shares of the peak are shares of."""

from __future__ import annotations

import ctypes
import platform
import time
from typing import TYPE_CHECKING

from mnv2c.common.scratch import scratch_folder

if TYPE_CHECKING:
    from mnv2c.targets import Target

ROUNDS = 400_000
"""Passes over all accumulators in one reading: about a millisecond."""
READINGS = 50
"""The fastest of so many counts: others may have been interrupted."""


def peak(target: Target, threads: int) -> float | None:
    """Return the multiply-adds per second of ``threads`` cores of this machine; None where no loop is known for it."""
    from mnv2c.benchmark.compare import ISAS, SOURCE
    from mnv2c.link.select import host_linker

    isa = ISAS.get(target.isa)
    if isa is None or target.arch != platform.machine():
        return None
    text = f"#define ISA {isa}\n{SOURCE.read_text(encoding='utf-8')}"
    made = host_linker().link("peak", sources={"peak.c": text}, objects={}, blobs={}, exports=["peak_run"], abi=1)
    with scratch_folder("peak") as folder:
        file = folder / "peak.so"
        file.write_bytes(made.shared)
        run = ctypes.CDLL(str(file)).peak_run
        run.restype = ctypes.c_uint64
        return max(_reading(run) for _ in range(READINGS)) * threads


def _reading(run: ctypes._NamedFuncPointer) -> float:
    begin = time.perf_counter_ns()
    products: int = run(ctypes.c_uint64(ROUNDS))
    return products / (time.perf_counter_ns() - begin) * 1e9
