"""A library of three steps with kernels in C: two outputs, a step in place, scratch up to the last byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c import package, targets
from mnv2c.codegen.entry import entry_source
from mnv2c.codegen.selftest import expected, selftest_input
from mnv2c.link import Linked, select_linker
from mnv2c.plan.program import ArenaBuffer, Location, Port, Program, Result, Space, Step
from mnv2c.runtime.belonging import own_text

SHAPE = (1, 4, 5, 3)
SCALES = np.array([2.0, -3.0, 8.0], np.float32)
SCRATCH = 320
ARENA_BYTES = SCRATCH + 60 * 4

KERNELS = """\
#include <stdint.h>
enum { NO_FAULT, KERNEL_FAILS, WRONG_VALUES, WRITES_BEHIND_ARENA, WRITES_BEFORE_ARENA,
       WRITES_BEFORE_OUTPUT, READS_BEHIND_OUTPUT };
static const int fault = NO_FAULT;
int32_t NAME_scale(const float *scales, const float *from, float *to)
{
    for (int i = 0; i < 60; ++i) to[i] = from[i] * scales[i % 3] + (fault == WRONG_VALUES ? 0.5f : 0.0f);
    return 0;
}
int32_t NAME_relu6(float *values)
{
    for (int i = 0; i < 60; ++i) values[i] = values[i] < 0 ? 0 : values[i] > 6 ? 6 : values[i];
    if (fault == WRITES_BEFORE_ARENA) values[-1] = 1;
    return fault == KERNEL_FAILS ? 7 : 0;
}
int32_t NAME_split(const float *from, float *scratch, float *mean, float *doubled)
{
    for (int i = 0; i < 60; ++i) scratch[i] = doubled[i] = 2 * from[i];
    if (fault == WRITES_BEHIND_ARENA) ((volatile char *)scratch)[240] = 1;
    if (fault == WRITES_BEFORE_OUTPUT) ((volatile char *)mean)[-1] = 1;
    if (fault == READS_BEHIND_OUTPUT) return ((volatile char *)mean)[12];
    for (int c = 0; c < 3; ++c) {
        mean[c] = 0;
        for (int i = c; i < 60; i += 3) mean[c] += scratch[i] / 40;
    }
    return 0;
}
"""


def program(name: str = "fake") -> Program:
    """scale -> relu6 in place -> split into a mean per channel and the doubled picture."""
    middle = Location(Space.ARENA, 0)
    picture = (Location(Space.OUTPUT, 0, 0), Location(Space.OUTPUT, 0, 1))
    return Program(
        inputs=(Port("input", SHAPE, "float32", "NHWC"),),
        outputs=(Port("mean", (1, 3), "float32", "NC"), Port("doubled", SHAPE, "float32", "NHWC")),
        steps=(
            Step(
                "scale",
                f"{name}_scale",
                (Location(Space.WEIGHTS), Location(Space.INPUT), middle),
                (Result(middle, SHAPE, "float32", "scaled", name="scale"),),
                "times a weight per channel",
                ("input",),
                SCALES.nbytes,
            ),
            Step(
                "relu6",
                f"{name}_relu6",
                (middle,),
                (Result(middle, SHAPE, "float32", "clipped", name="relu6"),),
                "in place",
                ("scale",),
            ),
            Step(
                "split",
                f"{name}_split",
                (middle, Location(Space.ARENA, SCRATCH), *picture),
                (
                    Result(picture[0], (1, 3), "float32", "mean", "same", "mean"),
                    Result(picture[1], SHAPE, "float32", "doubled", name="doubled"),
                ),
                reads=("relu6",),
            ),
        ),
        arena_bytes=ARENA_BYTES,
        weights=SCALES.tobytes(),
        buffers=(
            ArenaBuffer("scale", 0, 240, 0, 2, ("scale", "relu6")),
            ArenaBuffer("split: scratch", SCRATCH, 240, 2, 2),
        ),
    )


def reference(x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What the library must return."""
    clipped = np.clip(x * SCALES, 0, 6)
    return clipped.mean(axis=(1, 2), dtype=np.float64).astype(np.float32), 2 * clipped


def random_input(seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


@dataclass(frozen=True)
class Parts:
    """The generated texts of a fake library, before linking."""

    name: str
    entry: str
    header: str
    metadata: str
    kernels: str
    weights: bytes


def parts(target: targets.Target, name: str = "fake", fault: str = "NO_FAULT") -> Parts:
    network = program(name)
    meta = package.metadata(
        network,
        name,
        target,
        summary="three steps to test with",
        dtype="float32",
        params=3,
        madds=60,
        model={},
        weights_source="seed 0",
        toolchain={},
        chains=[{"name": "scale", "stages": []}, {"name": "split", "stages": []}],
        fallbacks=[{"name": "relu6", "reason": "a test"}],
    )
    outputs = [expected(output) for output in reference(selftest_input(SHAPE))]
    return Parts(
        name,
        entry_source(network, name, target, outputs),
        package.header_source(network, name, meta),
        package.to_json(meta),
        KERNELS.replace("NAME", name).replace("fault = NO_FAULT", f"fault = {fault}"),
        network.weights,
    )


def link(made: Parts, target: targets.Target, cc: str | None = None) -> Linked:
    return select_linker(target, cc).link(
        made.name,
        sources={f"{made.name}.c": made.entry, f"{made.name}.h": made.header, "kernels.c": made.kernels},
        objects={},
        blobs={f"{made.name}_weights": made.weights, f"{made.name}_json": made.metadata.encode() + b"\0"},
        exports=package.exports(made.name),
        abi=package.ABI,
    )


def build(
    folder: Path,
    target_name: str = "host",
    *,
    name: str = "fake",
    cc: str | None = None,
    libc: str | None = None,
    fault: str = "NO_FAULT",
) -> Path:
    """Link a fake library into ``folder`` and return that."""
    target = targets.load(target_name, libc=libc)
    made = parts(target, name, fault)
    linked = link(made, target, cc)
    package.write(
        folder,
        {
            **package.shared_files(target.platform.system, name, linked.shared),
            f"lib{name}.a": linked.archive,
            f"{name}.h": made.header,
            f"{name}.c": made.entry,
            f"{name}.json": made.metadata,
            "main.c": package.example_source(program(name), name),
        },
    )
    return folder


def tell(folder: Path, name: str, text: str) -> None:
    """Let library and NAME.json say ``text``, which is no longer than what they say, as if compiled so."""
    path = folder / f"{name}.json"
    old = own_text(path.read_bytes())
    new = text.encode().ljust(len(old))
    assert len(new) == len(old)
    path.write_bytes(old)  # without what was checked
    for file in (path, folder / f"lib{name}.a", (folder / f"lib{name}.so").resolve()):
        content = file.read_bytes()
        assert content.count(old) == 1
        file.write_bytes(content.replace(old, new))
