"""The C of frames of several libraries and the harness around each, as one program for libFuzzer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnv2c import package
from mnv2c.frames import Boxes, Classes, Frames, Mask, Picture, frames_code
from mnv2c.frames.description import Scores
from mnv2c.spec.priors import CONVENTIONS
from tests.frames.native import program

HARNESS = Path(__file__).with_name("harness.c")
SANITIZERS = ("-fsanitize=fuzzer,address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
NAMES = ("clang", *(f"clang-{version}" for version in range(22, 13, -1)))
MAPS = ((3, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))


@dataclass(frozen=True)
class Case:
    """A library: what its frames are, and what the harness must know of the answer."""

    name: str
    frames: Frames
    kind: int
    defines: tuple[str, ...] = ()


def boxes(convention: str, background: int) -> tuple[Boxes, tuple[str, ...]]:
    """A detector with five slots."""
    return Boxes(CONVENTIONS[convention], MAPS, 5), ("SLOT_COUNT=5", f"BACKGROUND_SLOT={background}")


AS_CHECKED = {Scores.OWN: 0, Scores.PROBABILITIES: 0, Scores.LOGITS: 1, Scores.LOGIT: 2, Scores.LOG_PROBABILITIES: 3}
"""The harness's numbers of what becomes of values."""


def classes(name: str, picture: Picture, count: int, scores: Scores) -> Case:
    """A classifier."""
    return Case(
        name, Frames(picture, Classes(count, scores)), 0, (f"CLASS_COUNT={count}", f"SCORES={AS_CHECKED[scores]}")
    )


def cases() -> list[Case]:
    """Every kind of answer, layout, way to fit and code of boxes."""
    softmax, sigmoid = boxes("torchvision", 0), boxes("tf_object_detection", 0)
    return [
        classes("logits", Picture(9, 7, planar=True, fit="letterbox"), 11, Scores.LOGITS),
        classes("chances", Picture(5, 12, blue_first=True), 4, Scores.PROBABILITIES),
        classes("single", Picture(4, 6, fit="stretch"), 1, Scores.LOGIT),
        classes("logarithms", Picture(3, 3), 6, Scores.LOG_PROBABILITIES),
        Case("softmax", Frames(Picture(16, 33, fit="stretch"), softmax[0]), 1, softmax[1]),
        Case("sigmoid", Frames(Picture(33, 20), sigmoid[0]), 1, sigmoid[1]),
        Case("mask", Frames(Picture(14, 9, fit="letterbox"), Mask(21)), 2),
        Case("crop", Frames(Picture(8, 70, planar=True), Mask(3)), 2, ("MASK_CLASSES=3",)),
    ]


MAIN = """\
#include <stddef.h>
#include <stdint.h>
{declarations}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{{
    static void (*const tried[])(const uint8_t *, size_t) = {{{names}}};
    if (size > 0) tried[data[0] % {count}](data + 1, size - 1);
    return 0;
}}
"""


def compiler() -> str | None:
    """A clang that has libFuzzer and the sanitizers; None where there is none."""
    for name in NAMES:
        found = shutil.which(name)
        if found and _links(found):
            return found
    return None


def _links(clang: str) -> bool:
    """Whether clang finds the sanitizers' libraries, which Debian ships apart (libclang-rt-dev)."""
    text = "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n ? 0 : 0; }\n"
    command = [clang, *SANITIZERS, "-x", "c", "-", "-o", "/dev/null"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False).returncode == 0


def build(clang: str, folder: Path, names: Sequence[str] = (), fault: tuple[str, str] = ("", "")) -> Path:
    """Compile all cases, or those of these names, into ``folder`` and return the program.

    A ``fault`` is a part of the generated C, and what is put in its place.
    """
    objects, known = [], [case for case in cases() if not names or case.name in names]
    for case in known:
        sources = _sources(case)
        for file, text in sources.items():
            (folder / file).write_text(text.replace(*fault) if fault[0] else text)
        unit = folder / f"{case.name}_all.c"
        unit.write_text("".join(f'#include "{file}"\n' for file in sources if file.endswith("_frame.c")))
        flags = [f"-D{define}" for define in _defines(case)]
        objects += [_compiled(clang, unit, folder), _compiled(clang, HARNESS, folder, case.name, *flags)]
    main = folder / "main.c"
    tried = [f"{case.name}_try" for case in known]
    declared = "\n".join(f"void {name}(const uint8_t *, size_t);" for name in tried)
    main.write_text(MAIN.format(declarations=declared, names=", ".join(tried), count=len(tried)))
    made = folder / "frames-fuzzer"
    _run([clang, *SANITIZERS, str(main), *objects, "-o", str(made)], folder)
    return made


def _compiled(clang: str, source: Path, folder: Path, name: str = "", *flags: str) -> str:
    made = folder / f"{source.stem}_{name}.o"
    _run(
        [
            clang,
            *SANITIZERS,
            "-gline-tables-only",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-I.",
            *flags,
            "-c",
            str(source),
            "-o",
            str(made),
        ],
        folder,
    )
    return str(made)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")


def _sources(case: Case) -> dict[str, str]:
    network = program(case.frames)
    code = frames_code(case.frames, case.name, [port.bytes for port in network.outputs])
    header = package.header_source(network, case.name, {"summary": "test", "target": "test"}, code.declarations)
    return {f"{case.name}.h": header, **code.sources}


def _defines(case: Case) -> list[str]:
    given = {define.split("=")[0] for define in case.defines}
    sizes = ",".join(str(port.bytes) for port in program(case.frames).outputs)
    usual = {"CLASS_COUNT": 1, "MASK_CLASSES": 21, "SLOT_COUNT": 1, "BACKGROUND_SLOT": -1, "SCORES": 0}
    return [
        f"LOWER(x)={case.name}_##x",
        f"UPPER(x)={case.name.upper()}_##x",
        f'HEADER="{case.name}.h"',
        f"KIND={case.kind}",
        f"OUTPUT_BYTES={sizes}",
        "LEAST_INPUT=-1.0001f",
        "MOST_INPUT=1.0001f",
        *case.defines,
        *(f"{name}={value}" for name, value in usual.items() if name not in given),
    ]
