"""The C of frames without a network: compiled beside a stub of NAME_run, called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c import package
from mnv2c.frames import Boxes, Classes, Frames, Mask, frames_code
from mnv2c.link.select import zig_program
from mnv2c.plan.program import Port, Program
from mnv2c.runtime.frame import CClass, CDetection, CFrame, CLimits, Frame, to_c

NAME = "fr"
(OK, E_NULL_BUFFER, E_NULL_FRAME, E_FORMAT, E_SIZE, E_STRIDE, E_WORKSPACE) = (0, 7, 13, 14, 15, 16, 17)
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror")

STUB = """\
#include "fr.h"
const void *given[4]; /* what the network "computes": copied to its outputs */
size_t given_bytes[4];
const float *seen;
fr_status fr_run(fr_ctx *context, const void *const inputs[], void *const outputs[])
{
    unsigned i;
    size_t b;
    (void)context;
    seen = (const float *)inputs[0];
    for (i = 0; i < FR_OUTPUT_COUNT; ++i)
        for (b = 0; b < given_bytes[i]; ++b) ((char *)outputs[i])[b] = ((const char *)given[i])[b];
    return FR_OK;
}
"""


def outputs_of(frames: Frames) -> tuple[Port, ...]:
    """The outputs that a network with such an answer has."""
    assert frames.picture is not None
    match frames.answer:
        case Classes(count=count):
            return (Port("logits", (1, count), "float32", "NC"),)
        case Boxes() as boxes:
            made = [
                Port("boxes", (1, boxes.priors, 4), "float32", ""),
                Port("scores", (1, boxes.priors, boxes.slots), "float32", ""),
            ]
            return tuple(made if boxes.first == 0 else made[::-1])
        case Mask():
            return (Port("mask", (1, frames.picture.height, frames.picture.width), "uint8", ""),)
    return (Port("raw", (1, 5), "float32", "NC"),)


def program(frames: Frames) -> Program:
    assert frames.picture is not None
    picture = frames.picture
    shape = (1, 3, picture.height, picture.width) if picture.planar else (1, picture.height, picture.width, 3)
    return Program(
        inputs=(Port("input", shape, "float32", "NCHW" if picture.planar else "NHWC"),),
        outputs=outputs_of(frames), steps=(), arena_bytes=64, weights=b"",
    )  # fmt: skip


def sources(frames: Frames) -> dict[str, str]:
    network = program(frames)
    code = frames_code(frames, NAME, [port.bytes for port in network.outputs])
    header = package.header_source(network, NAME, {"summary": "test", "target": "test"}, code.declarations)
    return {f"{NAME}.h": header, **code.sources, "stub.c": STUB}


def compiler() -> tuple[str, ...]:
    gcc, zig = shutil.which("gcc"), zig_program()
    return (gcc,) if gcc else (str(zig), "cc")


def compiled(frames: Frames, *flags: str, main: str = "", cc: tuple[str, ...] = ()) -> Path:
    """A shared object, or with ``main`` a program; kept until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mnv2c-frames-", dir=_folder()))
    texts = sources(frames) | ({"main.c": main} if main else {})
    for file, text in texts.items():
        (folder / file).write_text(text)
    made = folder / ("program" if main else "library.so")
    shared = () if main else ("-shared", "-fPIC")
    names = [file for file in texts if file.endswith(".c")]
    command = [*(cc or compiler()), *STRICT, "-O2", *shared, *flags, *names, "-o", made.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


@cache
def _folder() -> str:
    import atexit

    folder = tempfile.mkdtemp(prefix="mnv2c-frames-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(eq=False)
class Native:
    """The functions of a compiled library without a network."""

    frames: Frames
    functions: ctypes.CDLL
    keep: list[Any] = field(default_factory=list)

    def call(self, name: str, *arguments: Any) -> int:
        return int(getattr(self.functions, f"{NAME}_{name}")(*arguments))

    def shape(self) -> tuple[int, ...]:
        return program(self.frames).inputs[0].shape

    def load(self, frame: Frame | CFrame) -> np.ndarray[Any, Any]:
        """The network's input; what is not written stays NaN."""
        tensor = np.full(self.shape(), np.nan, np.float32)
        status = self.call(
            "load_frame", ctypes.byref(to_c(frame) if isinstance(frame, Frame) else frame), pointer(tensor)
        )
        assert status == OK, status
        return tensor

    def give(self, *outputs: np.ndarray[Any, Any]) -> None:
        """What the stub of the network computes."""
        places = (ctypes.c_void_p * 4).in_dll(self.functions, "given")
        sizes = (ctypes.c_size_t * 4).in_dll(self.functions, "given_bytes")
        self.keep[:] = outputs
        for index, output in enumerate(outputs):
            places[index], sizes[index] = output.ctypes.data, output.nbytes

    def detect(
        self, codes: np.ndarray[Any, Any], scores: np.ndarray[Any, Any], frame: Frame, most: int = 1000,
        limits: tuple[float, float] | None = None,
    ) -> list[tuple[float, int, tuple[float, ...]]]:  # fmt: skip
        found, count = (CDetection * max(most, 1))(), ctypes.c_uint(77)
        memory = aligned(1 << 20)
        status = self.call(
            "detect", pointer(codes), pointer(scores), ctypes.byref(to_c(frame)),
            ctypes.byref(CLimits(*limits)) if limits else None, pointer(memory), ctypes.c_size_t(memory.nbytes),
            found, ctypes.c_uint(most), ctypes.byref(count),
        )  # fmt: skip
        assert status == OK, status
        return [(each.score, each.class_id, (each.x0, each.y0, each.x1, each.y1)) for each in found[: count.value]]

    def top(self, scores: np.ndarray[Any, Any], most: int) -> list[tuple[int, float]]:
        best, count = (CClass * max(most, 1))(), ctypes.c_uint(77)
        assert self.call("top", pointer(scores), best, ctypes.c_uint(most), ctypes.byref(count)) == OK
        return [(each.class_id, each.score) for each in best[: count.value]]

    def frame_mask(self, mask: np.ndarray[Any, Any], frame: Frame, stride: int | None = None) -> np.ndarray[Any, Any]:
        stride = stride or frame.width
        made = np.full((frame.height, stride), 99, np.uint8)
        assert (
            self.call("frame_mask", pointer(mask), ctypes.byref(to_c(frame)), pointer(made), ctypes.c_size_t(stride))
            == OK
        )
        assert (made[:, frame.width :] == 99).all()
        return made[:, : frame.width]


@cache
def native(frames: Frames) -> Native:
    return Native(frames, ctypes.CDLL(str(compiled(frames))))


def pointer(array: np.ndarray[Any, Any] | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def aligned(size: int) -> np.ndarray[Any, Any]:
    block = np.zeros(size + 64, np.uint8)
    start = -block.ctypes.data % 64
    return block[start : start + size]
