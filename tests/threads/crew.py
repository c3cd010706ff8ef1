"""A library whose work is cut into parts, with kernels in C: strips with their own scratch memory, columns in phases.

It doubles a picture of 8x8 pixels and 4 channels and adds the mean of all of it, for which every part needs the work of
all others.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c import package, targets
from mnv2c.codegen.entry import entry_source
from mnv2c.codegen.parallel import threads_source
from mnv2c.codegen.selftest import expected, selftest_input
from mnv2c.link import Linked, select_linker
from mnv2c.plan.assemble import pool_bytes
from mnv2c.plan.parts import Cut, Parts
from mnv2c.plan.program import Location, Port, Program, Result, Space, Step

SHAPE = (1, 8, 8, 4)
NAME = "crew"
PICTURE, STRIP_SCRATCH = 1024, 128
SUMS = PICTURE
KERNELS = """\
#include <stdint.h>
enum { NO_FAULT, KERNEL_FAILS };
static const int fault = NO_FAULT;
int32_t crew_double(const float *from, float *to, float *scratch, int32_t begin, int32_t end)
{
    for (int32_t row = begin; row < end; ++row) {
        for (int i = 0; i < 32; ++i) scratch[i] = 2 * from[row * 32 + i];
        for (int i = 0; i < 32; ++i) to[row * 32 + i] = scratch[i];
    }
    return fault == KERNEL_FAILS && end == 8;
}
int32_t crew_center(const float *from, float *sums, float *to, int32_t phase, int32_t part)
{
    for (int channel = part * 4 / PARTS; channel < (part + 1) * 4 / PARTS; ++channel) {
        if (phase == 0) {
            sums[channel * 16] = 0;
            for (int i = channel; i < 256; i += 4) sums[channel * 16] += from[i];
        } else {
            const float mean = (sums[0] + sums[16] + sums[32] + sums[48]) / 256;
            for (int i = channel; i < 256; i += 4) to[i] = from[i] + mean;
        }
    }
    return 0;
}
"""


def program(threads: int) -> Program:
    """Double by strips, then center by columns; kernels are cut for ``threads`` threads."""
    middle, result = Location(Space.ARENA), Location(Space.OUTPUT)
    scratch = Location(Space.ARENA, PICTURE + 256, stride=STRIP_SCRATCH)
    bounds = [8 * part // threads for part in range(threads + 1)]
    strips = Parts(Cut.STRIPS, threads, ranges=tuple(pairwise(bounds)))
    pool = pool_bytes(threads)
    return Program(
        inputs=(Port("input", SHAPE, "float32", "NHWC"),),
        outputs=(Port("output", SHAPE, "float32", "NHWC"),),
        steps=(
            Step(
                "double",
                "crew_double",
                (Location(Space.INPUT), middle, scratch),
                (Result(middle, SHAPE, "float32", "doubled", name="double"),),
                reads=("input",),
                parts=strips,
            ),
            Step(
                "center",
                "crew_center",
                (middle, Location(Space.ARENA, SUMS), result),
                (Result(result, SHAPE, "float32", "output", name="center"),),
                reads=("double",),
                parts=Parts(Cut.COLUMNS, threads, 2),
            ),
        ),
        arena_bytes=PICTURE + 256 + STRIP_SCRATCH * threads + pool,
        weights=b"",
        threads=threads,
        pool_bytes=pool,
    )


def reference(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the library must return."""
    return 2 * x + (2 * x).mean(dtype=np.float64).astype(np.float32)


def random_input(seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


def texts(target: targets.Target, threads: int, fault: str = "NO_FAULT") -> dict[str, str]:
    """All C of the library by file name, its kernels and metadata included."""
    network = program(threads)
    meta = package.metadata(
        network,
        NAME,
        target,
        summary="two steps in parts to test with",
        dtype="float32",
        params=0,
        madds=256,
        model={},
        weights_source="none",
        toolchain={},
        chains=[{"name": "double", "stages": []}, {"name": "center", "stages": []}],
        fallbacks=[],
    )
    kernels = KERNELS.replace("PARTS", str(threads)).replace("fault = NO_FAULT", f"fault = {fault}")
    return {
        "crew.c": entry_source(network, NAME, target, [expected(reference(selftest_input(SHAPE)))]),
        "crew.h": package.header_source(network, NAME, meta),
        "kernels.c": kernels,
        "crew.json": package.to_json(meta),
        **threads_source(network, NAME, target),
    }


def link(target: targets.Target, threads: int, fault: str = "NO_FAULT", cc: str | None = None) -> Linked:
    made = texts(target, threads, fault)
    meta = made.pop("crew.json")
    return select_linker(target, cc).link(
        NAME,
        sources=made,
        objects={},
        blobs={"crew_weights": b"\0" * 64, "crew_json": meta.encode() + b"\0"},
        exports=package.exports(NAME),
        abi=package.ABI,
        threads=threads > 1,
    )


def build(folder: Path, threads: int, target_name: str = "host", *, fault: str = "NO_FAULT") -> Path:
    """Link the library into ``folder`` and return that."""
    target = targets.load(target_name)
    linked = link(target, threads, fault)
    files: dict[str, Any] = {**texts(target, threads, fault), f"lib{NAME}.a": linked.archive}
    package.write(folder, {**files, **package.shared_files(target.platform.system, NAME, linked.shared)})
    return folder
