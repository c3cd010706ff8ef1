"""What a library is told of pictures: how they become its input, what its outputs mean, what its classes are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from mnv2c.errors import UserError
from mnv2c.frames import Boxes, Classes, Frames, Mask, Picture, Scores
from mnv2c.frames.description import Fit
from mnv2c.frames.labels import by_class
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    from mnv2c.compiler.source import Source
    from mnv2c.frames import FramesCode
    from mnv2c.plan.program import Port, Program

USUAL: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "deviation": (0.5, 0.5, 0.5), "interpolation": "bilinear"}
"""Where neither the weights' source nor the user says how pictures are prepared: values in [-1, 1]."""

USUAL_FITS: dict[str, dict[str, Any]] = {
    "classifier": {"fit": "crop", "crop": 0.875},
    "detector": {"fit": "stretch", "crop": 1.0},
    "segmenter": {"fit": "letterbox", "crop": 1.0},
}
"""And how frames of another shape get into the picture, by the spec's family."""


OPTIONS = {"mean": "--mean", "deviation": "--std", "fit": "--fit", "crop": "crop", "channels": "--channels"}
"""What a user can say of pictures, and the command line's names for it; a crop's share is for Python only."""


def check_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the user says of pictures, see ``compile_model``; UserError for what means nothing."""
    if unknown := given.keys() - OPTIONS.keys():
        raise UserError(f"preprocessing: {', '.join(sorted(unknown))}: not known; there are {', '.join(OPTIONS)}")
    found = dict(given)
    for name in ("mean", "deviation"):
        if name in found:
            found[name] = _three(name, found[name])
    if "fit" in found and found["fit"] not in get_args(Fit):
        raise UserError(f"--fit {found['fit']!r}: choose from {', '.join(get_args(Fit))}")
    if "channels" in found and found["channels"] not in ("rgb", "bgr"):
        raise UserError(f"--channels {found['channels']!r}: choose rgb or bgr")
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
    if len(numbers) != 3 or not all(least <= number <= 1e6 for number in numbers):
        raise UserError(
            f"{OPTIONS[name]} {values!r}: give three numbers R,G,B for pixel values of 0 to 1, such as 0.5,0.5,0.5"
        )
    return numbers[0], numbers[1], numbers[2]


def told(source: Source, labels: Sequence[str], overrides: Mapping[str, Any]) -> Source:
    """The source with what the user says of pictures, which goes before what the weights' source says.

    UserError where weights that describe themselves say otherwise than the user.
    """
    _check_insistence(source, overrides)
    if source.spec is not None:
        _check_labels(labels, source.spec.classes)
    known = {**source.preprocessing, **overrides}
    return replace(source, preprocessing=known, labels=tuple(labels) or source.labels)


def _check_insistence(source: Source, overrides: Mapping[str, Any]) -> None:
    for name, value in overrides.items() if source.insists else ():
        trained = source.preprocessing[name]
        same = list(value) == list(trained) if isinstance(value, tuple) else value == trained
        if not same:
            option = OPTIONS[name]
            raise UserError(f"{option}: the weights were trained with {trained}, not {value}; leave {option} out")


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
    if frames.answer is not None:
        kind["classes"], kind["class_offset"] = _classes(source, frames.answer)
    match frames.answer:
        case Classes(scores=scores):
            kind["scores"] = str(scores)
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
        share=float(known["crop"]),
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
    if len(program.outputs) != 1 or port.dtype != "float32" or port.elements != max(port.shape, default=1):
        return None
    scores = Scores.LOGITS if spec is not None else _scores(source, port)
    return Classes(port.elements, scores) if scores is not None else None


def _scores(source: Source, port: Port) -> Scores | None:
    """What the graph says of an output of an ONNX file; labels make classes of what it says nothing of.

    UserError for labels that are not as many as such an output has numbers.
    """
    from mnv2c.compiler.scores import scores_of

    opset = next((entry.version for entry in source.model.opset_import if entry.domain in ("", "ai.onnx")), 13)
    found = scores_of(source.model.graph, port.name, int(opset))
    if found is Scores.LOGITS and port.elements == 1:  # one number is as well a measure of something
        found = Scores.LOGIT if source.labels else None
    if found is None and source.labels:
        if len(source.labels) != port.elements:
            raise UserError(
                f"--labels: has {len(source.labels)} lines, but output {quoted(port.name)} has {port.elements} "
                "numbers, of which the graph does not say that they are classes; give a line for each, or leave "
                "--labels out"
            )
        return Scores.OWN
    return found


def _labels(source: Source, answer: Classes | Boxes | Mask | None, program: Program) -> tuple[str, ...]:
    """The labels by class; UserError for more labels than classes."""
    count, offset = _classes(source, answer)
    count = count or max(port.shape[-1] if port.shape else 1 for port in program.outputs)
    _check_labels(source.labels, count)
    return by_class(source.labels, count, offset)


def _check_labels(labels: Sequence[str], count: int) -> None:
    if len(labels) > count:
        classes = f"{count} classes" if count != 1 else "1 class, whose label alone is asked for"
        raise UserError(f"--labels: has {len(labels)} lines, but the network has {classes}")


def _classes(source: Source, answer: Classes | Boxes | Mask | None) -> tuple[int, int]:
    """How many classes the answers have, 0 if unknown, and how many of them come before the first with a name."""
    match answer:
        case Classes(count=count):
            return count, int(source.description.get("class_offset", 0))
        case Boxes(slots=count, convention=convention):
            return count, 1 if convention.background == 0 else 0
        case Mask(classes=count):
            return count, 1
    return 0, 0
