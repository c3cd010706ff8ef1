"""The example ``main.c``: a whole program for a library, on pictures where it finds boxes or a mask in them."""

from __future__ import annotations

from pathlib import Path

from mnv2c.common.data import fill
from mnv2c.dtypes import number_type
from mnv2c.plan.program import Port, Program

RAW = Path(__file__).parent / "raw.c.in"
PICTURE = Path(__file__).parent / "picture.c.in"


LARGEST_VALUES = """\
    for (size_t rank = 0; rank < 5 && rank < outputs; ++rank) {
        size_t best = 0;
        for (size_t i = 1; i < outputs; ++i) if (output[i] > output[best]) best = i;
        printf("%4zu  %f\\n", best, output[best]);
        output[best] = -1e30f;
    }"""
"""What the example prints of numbers: the five largest."""

FREQUENT_CLASSES = """\
    static size_t pixels[256]; /* of every class */
    for (size_t i = 0; i < outputs; ++i) ++pixels[output[i] & 255];
    for (size_t rank = 0; rank < 5; ++rank) {
        size_t best = 0;
        for (size_t i = 1; i < 256; ++i) if (pixels[i] > pixels[best]) best = i;
        if (pixels[best]) printf("%4zu  %f\\n", best, (double)pixels[best] / (double)outputs);
        pixels[best] = 0;
    }"""
"""What it prints of classes: the five with most pixels, and their shares."""

ANSWERS = {
    "boxes": {
        "prints": "the ten best detections: class, label, score, box in pixels",
        "answer": "    @{name}_detection found[10];\n    unsigned count = 0;\n",
        "arguments": "NULL, workspace, sizeof workspace, found, 10, &count",
        "report": """\
    for (unsigned i = 0; i < count; ++i) {
        printf("%4u  %s  %.4f  from %.1f,%.1f to %.1f,%.1f\\n", (unsigned)found[i].class_id, label(found[i].class_id),
               found[i].score, found[i].x0, found[i].y0, found[i].x1, found[i].y1);
    }""",
    },
    "mask": {
        "prints": "the classes of the mask: class, label, share of the pixels",
        "answer": """\
    unsigned char *const mask = malloc((size_t)width * height);
    if (!mask) return fprintf(stderr, "no memory\\n"), 1;
""",
        "arguments": "workspace, sizeof workspace, mask, width",
        "report": """\
    size_t shares[256] = {0};
    for (size_t i = 0; i < (size_t)width * height; ++i) ++shares[mask[i]];
    for (unsigned i = 0; i < 256; ++i) {
        if (!shares[i]) continue;
        printf("%4u  %s  %.4f\\n", i, i == @{NAME}_UNSEEN ? "unseen" : label(i),
               (double)shares[i] / ((double)width * height));
    }""",
    },
}
"""By the answer of NAME_run_frame: what the example prints, where it lies, how it is asked for and printed."""


def example_source(program: Program, name: str, answer: str | None = None) -> str:
    """A C program that shows what a library computes.

    Where ``answer``, what NAME_run_frame gives, is "boxes" or "mask", it takes a picture, by the library's own steps
    before and after the network; else raw numbers, of which it prints the best five.
    """
    return _of_pictures(program, name, ANSWERS[answer]) if answer in ANSWERS else _of_numbers(program, name)


def _of_pictures(program: Program, name: str, answer: dict[str, str]) -> str:
    (port,) = program.inputs
    height, width = port.shape[2:] if port.layout == "NCHW" else port.shape[1:3]
    named = {key: text.replace("@{name}", name).replace("@{NAME}", name.upper()) for key, text in answer.items()}
    return fill(PICTURE, name=name, NAME=name.upper(), width=width, height=height, **named)


def _of_numbers(program: Program, name: str) -> str:
    upper = name.upper()
    others = [(f"input_{index}", port) for index, port in enumerate(program.inputs) if index]
    others += [(f"output_{index}", port) for index, port in enumerate(program.outputs) if index]
    names = [name for name, _ in others]
    first = program.outputs[0].dtype

    def array(other: str, port: Port) -> str:
        kind = number_type(port.dtype).c_type
        return f"static {kind} {other}[{upper}_{other.upper()}_BYTES / sizeof({kind})];\n"

    return fill(
        RAW,
        name=name,
        NAME=upper,
        more="".join(array(other, port) for other, port in others),
        inputs=", ".join(["input", *(other for other in names if other.startswith("input"))]),
        outputs=", ".join(["output", *(other for other in names if other.startswith("output"))]),
        output_start=", " if first == "float32" else f";\nstatic {number_type(first).c_type} ",
        output_type=number_type(first).c_type,
        report=LARGEST_VALUES if first == "float32" else FREQUENT_CLASSES,
    )
