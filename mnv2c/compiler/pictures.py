"""What a library is told of pictures: how they become its input, what its outputs mean, what its classes are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mnv2c.errors import UserError
from mnv2c.frames import Boxes, Classes, Frames, Mask, Picture
from mnv2c.frames.description import Fit

if TYPE_CHECKING:
    from mnv2c.compiler.source import Source
    from mnv2c.frames import FramesCode
    from mnv2c.plan.program import Program

USUAL: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "deviation": (0.5, 0.5, 0.5), "interpolation": "bilinear"}
"""Where neither the weights' source nor the user says how pictures are prepared: values in [-1, 1]."""

USUAL_FITS: dict[str, dict[str, Any]] = {
    "classifier": {"fit": "crop", "crop": 0.875},
    "detector": {"fit": "stretch", "crop": 1.0},
    "segmenter": {"fit": "letterbox", "crop": 1.0},
}
"""And how frames of another shape get into the picture, by the spec's family."""

MAX_LABELS_BYTES = 1 << 20
BAR = 127.5


def read_labels(path: str | Path | None) -> tuple[str, ...]:
    """The lines of a text file; none without a file. UserError where it cannot be read."""
    if path is None:
        return ()
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_LABELS_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the labels: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > MAX_LABELS_BYTES or "\0" in text:
        raise UserError(f"{path}: not a file of labels, one per line of text, up to {MAX_LABELS_BYTES:,} characters")
    return tuple(line.strip() for line in text.splitlines())


def check_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the user says of pictures, see ``compile_model``; UserError for what means nothing."""
    known = {"mean", "deviation", "fit", "crop", "channels"}
    if unknown := given.keys() - known:
        raise UserError(f"preprocessing: {', '.join(sorted(unknown))}: not known; there are {', '.join(sorted(known))}")
    found = dict(given)
    for name in ("mean", "deviation"):
        if name in found:
            found[name] = _three(name, found[name])
    if "fit" in found and found["fit"] not in get_args(Fit):
        raise UserError(f"fit {found['fit']!r}: choose from {', '.join(get_args(Fit))}")
    if "channels" in found and found["channels"] not in ("rgb", "bgr"):
        raise UserError(f"channels {found['channels']!r}: choose rgb or bgr")
    if found.get("fit") == "crop":
        found.setdefault("crop", 1.0)
    if "crop" in found and not 0.01 <= float(found["crop"]) <= 1:
        raise UserError(f"crop {found['crop']}: give the share of the picture's tighter side, at most 1")
    return found


def _three(name: str, values: Any) -> tuple[float, float, float]:
    """One number for all channels, or three for red, green, blue."""
    try:
        numbers = [float(value) for value in (values.split(",") if isinstance(values, str) else values)]
    except (TypeError, ValueError):
        numbers = []
    numbers = numbers * 3 if len(numbers) == 1 else numbers
    least = 1e-6 if name == "deviation" else -1e6
    if len(numbers) != 3 or not all(least <= abs(number) <= 1e6 for number in map(float, numbers)):
        raise UserError(f"{name} {values!r}: give three numbers R,G,B for pixel values of 0 to 1, such as 0.5,0.5,0.5")
    return numbers[0], numbers[1], numbers[2]


def told(source: Source, labels: Sequence[str], overrides: Mapping[str, Any]) -> Source:
    """The source with what the user says of pictures, which goes before what the weights' source says.

    UserError where weights that describe themselves say otherwise than the user.
    """
    _check_insistence(source, overrides)
    known = {**source.preprocessing, **overrides}
    return replace(source, preprocessing=known, labels=tuple(labels) or source.labels)


def _check_insistence(source: Source, overrides: Mapping[str, Any]) -> None:
    for name, value in overrides.items() if source.insists else ():
        trained = source.preprocessing[name]
        same = list(value) == list(trained) if isinstance(value, tuple) else value == trained
        if not same:
            raise UserError(f"--{name}: the weights were trained with {trained}, not {value}; leave --{name} out")


def frames_of(source: Source, program: Program) -> Frames:
    """What the generated C needs to know; UserError for labels that cannot be those of the network."""
    family = source.spec.family if source.spec is not None else "classifier"
    picture = _picture(USUAL | USUAL_FITS[family] | dict(source.preprocessing), program)
    answer = _answer(source, program) if picture is not None else None
    return Frames(picture, answer, _labels(source, answer, program))


def frames_metadata(frames: Frames, code: FramesCode, source: Source) -> dict[str, Any]:
    """The entries of ``NAME.json``."""
    kind: dict[str, Any] = {"answer": code.answer, "workspace_bytes": code.workspace_bytes}
    if frames.picture is not None:
        kind |= {"fit": frames.picture.fit, "mean": list(frames.picture.mean)}
        kind |= {"deviation": list(frames.picture.deviation)}
    match frames.answer:
        case Boxes() as boxes:
            convention = boxes.convention
            kind |= {"boxes": convention.name, "priors": boxes.priors, "detections": convention.detections}
            kind |= {"score": convention.score_threshold, "overlap": convention.iou}
        case Mask() if source.spec is not None:
            kind |= {"align_corners": source.spec.align_corners}
    described = {"functions": list(code.functions), **({"frames": kind} if frames.picture is not None else {})}
    return described | ({"labels": list(frames.labels)} if frames.labels else {})


def _picture(known: Mapping[str, Any], program: Program) -> Picture | None:
    """The network's input as a picture; None where it is none: not one float32 input with three channels."""
    if len(program.inputs) != 1:
        return None
    (port,) = program.inputs
    planar = port.layout == "NCHW"
    if port.dtype != "float32" or len(port.shape) != 4 or port.shape[0] != 1 or port.shape[1 if planar else 3] != 3:
        return None
    height, width = port.shape[2:] if planar else port.shape[1:3]
    return Picture(
        height=height,
        width=width,
        planar=planar,
        mean=tuple(known["mean"]),
        deviation=tuple(known["deviation"]),
        blue_first=known.get("channels") == "bgr",
        fit=known["fit"],
        share=float(known.get("crop", 1.0)),
        bar=float(known.get("bar", BAR)),
    )


def _answer(source: Source, program: Program) -> Classes | Boxes | Mask | None:
    spec = source.spec
    if spec is not None and spec.family == "detector":
        from mnv2c.spec.detector import feature_maps
        from mnv2c.spec.layers import layers
        from mnv2c.spec.priors import convention

        first = [port.name for port in program.outputs].index("boxes")
        return Boxes(convention(spec.boxes), feature_maps(layers(spec)), spec.classes, first)
    if spec is not None and spec.family == "segmenter":
        return Mask(spec.classes, logits=spec.output == "logits")
    port = program.outputs[0]
    if len(program.outputs) != 1 or port.dtype != "float32" or port.elements != max(port.shape):
        return None
    return Classes(port.elements, softmax=not _ends_in_softmax(source))


def _ends_in_softmax(source: Source) -> bool:
    """Whether the outputs are probabilities already."""
    graph = source.model.graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    return makers.get(graph.output[0].name) == "Softmax"


def _labels(source: Source, answer: Classes | Boxes | Mask | None, program: Program) -> tuple[str, ...]:
    """The labels by class; a file without a name for the background gets one."""
    labels = source.labels
    match answer:
        case Classes(count=count):
            offset = int(source.description.get("class_offset", 0))
        case Boxes(slots=count, convention=convention):
            offset = 1 if convention.background == 0 else 0
        case Mask(classes=count):
            offset = 0
        case _:
            count, offset = max(port.shape[-1] for port in program.outputs), 0
    if len(labels) > count:
        raise UserError(f"--labels: has {len(labels)} lines, but the network has {count} classes")
    return ("background",) * offset + labels if offset and len(labels) == count - offset else labels
