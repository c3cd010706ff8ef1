"""The C that takes frames in and gives answers out: declarations for the header, and the sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnv2c.common.data import fill
from mnv2c.common.escape import c_string
from mnv2c.common.version import __version__
from mnv2c.frames import boxes as boxes_c
from mnv2c.frames.colours import yuv_table
from mnv2c.frames.description import Boxes, Classes, Frames, Mask, Picture, Scores
from mnv2c.frames.numbers import numbers

C = Path(__file__).parent / "c"

ALIGN = 64
SIDE = 32767
"""Most pixels to a side of a frame."""


@dataclass(frozen=True)
class FramesCode:
    """Declarations for the end of ``NAME.h``, C sources by file name, and the public functions without prefix.

    ``answer`` is what NAME_run_frame gives, "classes", "boxes" or "mask", in ``workspace_bytes`` of memory; "logits"
    and None where there is no such function.
    """

    declarations: str
    sources: dict[str, str]
    functions: tuple[str, ...]
    answer: str | None = None
    workspace_bytes: int = 0


def frames_code(frames: Frames, name: str, outputs: Sequence[int]) -> FramesCode:
    """The C of a library called ``name``; ``outputs`` are the sizes of the network's outputs in bytes."""
    common: dict[str, object] = {"name": name, "NAME": name.upper(), "version": __version__}
    declared = fill(C / "labels.h.in", **common)
    sources = {f"{name}_labels.c": _labels(frames.labels, common)}
    functions, kind, workspace = ["label"], "", 0
    if frames.picture is not None:
        values = common | _picture_values(frames.picture) | _answer_values(frames)
        values |= _run_values(frames, values, outputs)
        kind, workspace = _kind(frames), int(str(values.get("frame_bytes", 0)))
        declared += "".join(fill(C / part, **values) for part in ["frame.h.in", *HEADERS[kind]])
        parts = ["geometry.c.in", "load.c.in", *PARTS[kind]]
        sources[f"{name}_frame.c"] = "".join(fill(C / part, **values) for part in parts)
        functions += ["load_frame", *FUNCTIONS[kind]]
    return FramesCode(declared.lstrip("\n") + "\n", sources, tuple(functions), kind or None, workspace)


PARTS = {
    "": (),
    "classes": ("exponential.c.in", "classes.c.in", "run.c.in"),
    "boxes": ("exponential.c.in", "priors.c.in", "boxes.c.in", "run.c.in"),
    "mask": ("mask.c.in", "run.c.in"),
    "logits": ("mask.c.in",),
}
FUNCTIONS = {
    "": (),
    "classes": ("frame_bytes", "top", "run_frame"),
    "boxes": ("frame_bytes", "detect", "run_frame"),
    "mask": ("frame_bytes", "frame_mask", "run_frame"),
    "logits": ("frame_mask",),
}
HEADERS = {
    "": (),
    "classes": ("workspace.h.in", "classes.h.in"),
    "boxes": ("workspace.h.in", "boxes.h.in"),
    "mask": ("mask.h.in", "workspace.h.in", "mask_run.h.in"),
    "logits": ("mask.h.in",),
}
"""By the kind of answer."""


def _kind(frames: Frames) -> str:
    match frames.answer:
        case Classes():
            return "classes"
        case Boxes():
            return "boxes"
        case Mask(logits=logits):
            return "logits" if logits else "mask"
    return ""


def _labels(labels: Sequence[str], common: dict[str, object]) -> str:
    table = "".join(f"    {c_string(label)},\n" for label in labels)
    return fill(C / "labels.c.in", **common, table=table)


TRAINED = {
    "stretch": "stretched",
    "letterbox": "letterboxed",
    "crop": "the middle, {share:.1%} of the tighter side",
}


def _picture_values(picture: Picture) -> dict[str, object]:
    order = slice(None, None, -1 if picture.blue_first else 1)
    scale = [1 / (255 * deviation) for deviation in picture.deviation][order]
    bias = [-mean / deviation for mean, deviation in zip(picture.mean, picture.deviation, strict=True)][order]
    return {
        "width": picture.width,
        "height": picture.height,
        "fit": picture.fit.upper(),
        "trained": TRAINED[picture.fit].format(share=picture.share),
        "share": repr(float(picture.share)),
        "side": SIDE,
        "red": 2 if picture.blue_first else 0,
        "pixel_step": 1 if picture.planar else 3,
        "channel_step": picture.height * picture.width if picture.planar else 1,
        "scale": numbers(scale),
        "bias": numbers(bias),
        "bar": numbers([picture.bar] * 3),
        "yuv": yuv_table(),
    }


def _answer_values(frames: Frames) -> dict[str, object]:
    match frames.answer:
        case Classes(count=count, scores=scores):
            return {"classes": count, "score": SCORES[scores], "scores_note": SCORE_NOTES[scores]}
        case Boxes() as boxes if frames.picture is not None:
            return boxes_c.values(boxes, (frames.picture.height, frames.picture.width))
    return {}


SCORES = {
    Scores.LOGITS: "SOFTMAX",
    Scores.LOGIT: "LOGISTIC",
    Scores.LOG_PROBABILITIES: "EXP",
    Scores.PROBABILITIES: "AS_THEY_ARE",
    Scores.INDEPENDENT: "AS_THEY_ARE",
    Scores.OWN: "AS_THEY_ARE",
}
"""What the C makes of the numbers of classes."""

SCORE_NOTES = {
    Scores.LOGITS: "logits, of which softmax makes probabilities",
    Scores.LOGIT: "a logit, of which the logistic function makes a probability",
    Scores.LOG_PROBABILITIES: "logarithms of probabilities, of which exp makes probabilities",
    Scores.PROBABILITIES: "probabilities, which stay as they are",
    Scores.INDEPENDENT: "from 0 to 1 for every class on its own; they stay as they are",
    Scores.OWN: "scores of the network's own, which stay as they are: what is best is known, not what they mean",
}
"""What the header says of them."""


SIGNATURES = {
    "classes": "const {name}_frame *frame, void *workspace, size_t bytes, {name}_class *best, unsigned most,\n"
    "    unsigned *count",
    "boxes": "const {name}_frame *frame, const {name}_limits *limits, void *workspace, size_t bytes,\n"
    "    {name}_detection *found, unsigned most, unsigned *count",
    "mask": "const {name}_frame *frame, void *workspace, size_t bytes, uint8_t *to, size_t stride",
}
"""Parameters of NAME_run_frame behind the context."""


def _run_values(frames: Frames, values: dict[str, object], outputs: Sequence[int]) -> dict[str, object]:
    """Where input and outputs lie in the workspace, and what makes the answer of them."""
    kind = _kind(frames)
    picture = frames.picture
    if kind not in SIGNATURES or picture is None:
        return {}
    name = str(values["name"])
    offset, places = _aligned(picture.height * picture.width * 3 * 4), []
    for size in outputs:
        places.append(offset)
        offset += _aligned(size)
    first, *others = [f"outputs[{index}]" for index in range(len(outputs))]
    match frames.answer:
        case Boxes(first=at):
            coded, scored = (first, others[0]) if at == 0 else (others[0], first)
            answer = (
                f"{name}_detect(\n        (const float *){coded}, (const float *){scored}, frame, limits, "
                f"memory_at + {offset}u, {name.upper()}_DETECT_BYTES, found, most,\n        count)"
            )
            offset += _aligned(int(str(values["detect_bytes"])))
        case Mask():
            answer = f"{name}_frame_mask((const uint8_t *){first}, frame, to, stride)"
        case _:
            answer = f"{name}_top((const float *){first}, best, most, count)"
    return {
        "frame_bytes": offset,
        "parameters": f"{name}_ctx *context, " + SIGNATURES[kind].format(name=name),
        "outputs": len(outputs),
        "places": "\n".join(f"    outputs[{index}] = memory_at + {at}u;" for index, at in enumerate(places)),
        "answer": answer,
    }


def _aligned(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
