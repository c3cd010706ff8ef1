"""Frames that are wrong get a status; frames of odd sizes are read within their bytes, as sanitizers see it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c.frames import Boxes, Classes, Frames, Mask, Picture
from mnv2c.runtime.frame import CFrame, Frame, to_c
from mnv2c.spec.priors import CONVENTIONS
from tests.frames.native import (
    E_FORMAT,
    E_NULL_BUFFER,
    E_NULL_FRAME,
    E_SIZE,
    E_STRIDE,
    OK,
    compiled,
    native,
    pointer,
)

FRAMES = Frames(Picture(20, 24), Mask(21))
GCC = shutil.which("gcc")


def frame(**changes: Any) -> CFrame:
    """A right NV12 frame of 7x5, but for ``changes``."""
    pixels = np.zeros(4096, np.uint8)
    planes = pixels[:35].reshape(5, 7), pixels[64 : 64 + 24].reshape(3, 8)
    made = to_c(Frame(planes, 7, 5, "NV12"))
    for name, value in changes.items():
        if isinstance(value, tuple):
            getattr(made, name)[value[0]] = value[1]
        else:
            setattr(made, name, value)
    made.keep = pixels
    return made


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, OK),
        ({"planes": (0, None)}, E_NULL_FRAME),
        ({"planes": (1, None)}, E_NULL_FRAME),
        ({"width": 0}, E_SIZE),
        ({"height": 0}, E_SIZE),
        ({"width": 32768}, E_SIZE),
        ({"height": 2**32 - 1}, E_SIZE),
        ({"strides": (0, 6)}, E_STRIDE),
        ({"strides": (0, 0)}, E_STRIDE),
        ({"strides": (1, 7)}, E_STRIDE),
        ({"strides": (0, 2**64 - 1)}, E_STRIDE),
        ({"strides": (1, 2**63)}, E_STRIDE),
        ({"format": 6}, E_FORMAT),
        ({"format": -1}, E_FORMAT),
        ({"yuv": 4}, E_FORMAT),
        ({"fit": 4}, E_FORMAT),
        ({"rotation": 45}, E_FORMAT),
        ({"rotation": 360}, E_FORMAT),
    ],
)
def test_a_status_and_nothing_written(changes: dict[str, Any], status: int) -> None:
    library, made = native(FRAMES), frame(**changes)
    tensor = np.full(library.shape(), 7, np.float32)
    mask, out = np.zeros((20, 24), np.uint8), np.full((5, 7), 99, np.uint8)
    assert library.call("load_frame", ctypes.byref(made), pointer(tensor)) == status
    assert library.call("frame_mask", pointer(mask), ctypes.byref(made), pointer(out), ctypes.c_size_t(7)) == status
    if status != OK:
        assert (tensor == 7).all() and (out == 99).all()


def test_null_and_short_buffers() -> None:
    library, made, mask = native(FRAMES), frame(), np.zeros((20, 24), np.uint8)
    assert library.call("load_frame", None, pointer(mask)) == E_NULL_FRAME
    assert library.call("load_frame", ctypes.byref(made), None) == E_NULL_BUFFER
    for arguments, status in (
        ((None, ctypes.byref(made), pointer(mask), ctypes.c_size_t(7)), E_NULL_BUFFER),
        ((pointer(mask), ctypes.byref(made), None, ctypes.c_size_t(7)), E_NULL_BUFFER),
        ((pointer(mask), None, pointer(mask), ctypes.c_size_t(7)), E_NULL_FRAME),
        ((pointer(mask), ctypes.byref(made), pointer(mask), ctypes.c_size_t(6)), E_STRIDE),
    ):
        assert library.call("frame_mask", *arguments) == status


FUZZ = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fr.h"
extern const void *given[4];
extern size_t given_bytes[4];
static unsigned state = 12345;
static unsigned draw(unsigned below) { state = state * 1664525u + 1013904223u; return (state >> 8) % below; }
static size_t up(size_t value) { return value / 2 + value % 2; }
static void rows_and_bytes(const fr_frame *frame, size_t rows[2], size_t bytes[2])
{
    const int planar = frame->format == FR_NV12 || frame->format == FR_NV21;
    const size_t width = frame->width;
    rows[0] = frame->height;
    bytes[0] = planar ? width : frame->format == FR_RGBA ? 4 * width
             : frame->format == FR_YUYV ? 4 * up(width) : 3 * width;
    rows[1] = planar ? up(frame->height) : 0;
    bytes[1] = planar ? 2 * up(width) : 0;
}
DRAW
int main(void)
{
    unsigned done, used = 0;
    float *input = malloc(FR_INPUT_0_BYTES);
    for (done = 0; done < COUNT; ++done) {
        fr_frame frame;
        unsigned char *planes[2] = {NULL, NULL};
        fr_status status;
        memset(&frame, 0, sizeof frame);
        if (!draw_frame(&frame, planes, done)) continue;
        status = fr_load_frame(&frame, input);
        used += status == FR_OK;
        ANSWER
        free(planes[0]);
        free(planes[1]);
    }
    free(input);
    printf("%u\\n", used);
    return used > LEAST ? 0 : 1;
}
"""

SMALL = """
static unsigned side(void)
{
    static const unsigned odd[] = {1, 1, 2, 3, 5, 63, 64, 65, 127, 10000, 8000, 32767, 0, 32768};
    return draw(3) ? 1 + draw(70) : odd[draw(14)];
}
static int draw_frame(fr_frame *frame, unsigned char *planes[2], unsigned done)
{
    size_t bytes[2], rows[2];
    unsigned p;
    (void)done;
    frame->width = side();
    frame->height = side();
    if ((double)frame->width * frame->height > 3e6) return 0;
    frame->format = (fr_format)draw(7);
    frame->yuv = (fr_yuv)draw(5);
    frame->fit = (fr_fit)draw(5);
    frame->rotation = 90 * draw(5);
    rows_and_bytes(frame, rows, bytes);
    for (p = 0; p < 2; ++p) {
        /* exactly the bytes of the rows: none behind the last one */
        const size_t stride = bytes[p] + draw(3), total = rows[p] ? stride * (rows[p] - 1) + bytes[p] : 0;
        planes[p] = malloc(total ? total : 1);
        memset(planes[p], (int)draw(256), total);
        frame->planes[p] = draw(50) ? planes[p] : NULL;
        frame->strides[p] = draw(50) ? stride : bytes[p] ? draw((unsigned)bytes[p]) : 0;
    }
    return 1;
}
"""
LARGE = """
/* Right frames of every format, turned in every way: 48 million pixels, or a single row or column of 10000. */
static int draw_frame(fr_frame *frame, unsigned char *planes[2], unsigned done)
{
    static const unsigned sides[4][2] = {{8000, 6000}, {1, 10000}, {6000, 8000}, {10000, 1}};
    size_t bytes[2], rows[2];
    unsigned p;
    frame->format = (fr_format)(done % 6);
    frame->rotation = 90 * (done / 6 % 4);
    frame->width = sides[(done + done / 6) % 4][0];
    frame->height = sides[(done + done / 6) % 4][1];
    frame->yuv = (fr_yuv)draw(4);
    frame->fit = (fr_fit)(done % 4);
    rows_and_bytes(frame, rows, bytes);
    for (p = 0; p < 2; ++p) {
        const size_t stride = bytes[p] + done % 3;
        planes[p] = calloc(rows[p] ? stride * (rows[p] - 1) + bytes[p] : 1, 1);
        if (planes[p] == NULL) exit(4);
        frame->planes[p] = planes[p];
        frame->strides[p] = stride;
    }
    return 1;
}
"""

MASK = """
        if (frame.width && frame.height && frame.width <= 32767 && frame.height <= 32767) {
            static unsigned char mask[FR_OUTPUT_0_BYTES];
            unsigned char *to = malloc((size_t)frame.width * frame.height);
            if (fr_frame_mask(mask, &frame, to, frame.width) != status) return 2;
            free(to);
        }
"""
DETECT = """
        {
            unsigned i, count = 0;
            unsigned *boxes = malloc(FR_OUTPUT_0_BYTES), *scores = malloc(FR_OUTPUT_1_BYTES);
            void *memory = aligned_alloc(64, (FR_FRAME_BYTES + 63) / 64 * 64);
            const unsigned most = draw(40);
            fr_detection *found = malloc(most * sizeof *found + 1);
            fr_ctx context;
            /* any bits: NaN, infinite, denormal */
            for (i = 0; i < FR_OUTPUT_0_BYTES / 4; ++i) boxes[i] = draw(1u << 24) * 257u;
            for (i = 0; i < FR_OUTPUT_1_BYTES / 4; ++i) scores[i] = draw(1u << 24) * 257u;
            given[0] = boxes; given[1] = scores;
            given_bytes[0] = FR_OUTPUT_0_BYTES; given_bytes[1] = FR_OUTPUT_1_BYTES;
            if (fr_run_frame(&context, &frame, NULL, memory, FR_FRAME_BYTES, found, most, &count) != status) return 2;
            for (i = 0; i < count; ++i)
                if (!(found[i].x0 >= 0 && found[i].x0 <= found[i].x1 && found[i].x1 <= (float)frame.width
                      && found[i].y0 >= 0 && found[i].y0 <= found[i].y1 && found[i].y1 <= (float)frame.height))
                    return 3;
            free(boxes); free(scores); free(memory); free(found);
        }
"""
TOP = """
        {
            unsigned i, count = 0;
            unsigned *scores = malloc(FR_OUTPUT_0_BYTES);
            const unsigned most = draw(60);
            fr_class *best = malloc(most * sizeof *best + 1);
            for (i = 0; i < FR_OUTPUT_0_BYTES / 4; ++i) scores[i] = draw(1u << 24) * 257u;
            if (fr_top((const float *)scores, best, most, &count) != FR_OK) return 2;
            free(scores); free(best);
        }
"""
MAPS = ((3, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))
KINDS = {
    "mask": (FRAMES, MASK),
    "classes": (Frames(Picture(33, 70, planar=True, fit="letterbox"), Classes(50)), TOP),
    "softmax": (Frames(Picture(96, 160, fit="stretch"), Boxes(CONVENTIONS["torchvision"], MAPS, 5)), DETECT),
    "sigmoid": (Frames(Picture(130, 20), Boxes(CONVENTIONS["tf_object_detection"], MAPS, 5)), DETECT),
}


FRAMES_OF = {"small and wrong": (SMALL, 3000, 500), "large": (LARGE, 24, 23)}
"""What draws the frames, how many, and how many more than which must be right."""


@pytest.mark.skipif(GCC is None, reason="gcc is missing: sanitizers did NOT look at the C of frames")
@pytest.mark.parametrize("drawn", FRAMES_OF)
@pytest.mark.parametrize("kind", KINDS)
def test_sanitizers_find_nothing(kind: str, drawn: str, tmp_path: Path) -> None:
    (frames, answer), (draw, count, least) = KINDS[kind], FRAMES_OF[drawn]
    flags = ("-O1", "-g", "-std=c11", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
    main = (
        FUZZ.replace("DRAW", draw).replace("ANSWER", answer).replace("COUNT", str(count)).replace("LEAST", str(least))
    )
    program = compiled(frames, *flags, main=main, cc=(str(GCC),))
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[:3000]
