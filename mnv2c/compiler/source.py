"""The front of the pipeline: whatever the user named becomes one ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.common.escape import visible
from mnv2c.errors import UserError
from mnv2c.from_onnx.formats import is_onnx, refuse_other_formats

if TYPE_CHECKING:
    import onnx

    from mnv2c.compiler.options import PlanOptions
    from mnv2c.from_onnx.input_shapes import Shapes
    from mnv2c.spec import Description, ModelSpec
    from mnv2c.weights import Checkpoint


@dataclass(frozen=True)
class Source:
    """The model that all later phases start from.

    ``summary`` is one line for people, ``description`` goes into the metadata; ``params`` is None for an ONNX file,
    whose parameters are counted as the folded network's. ``preprocessing`` is that of the weights' source, if known;
    ``spec`` is None for an ONNX file; ``labels`` are the names of the classes, as the user or
    the weights gave them. ``insists`` says that the weights describe themselves, so that nobody may say otherwise.
    """

    model: onnx.ModelProto
    serialized: bytes
    title: str
    summary: str
    description: dict[str, Any]
    weights: str
    params: int | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    spec: ModelSpec | None = None
    labels: tuple[str, ...] = ()
    insists: bool = False


def read_source(options: PlanOptions) -> Source:
    """Return the source of an ONNX file, or of a spec with its weights; raises SpecError, WeightsError or OnnxError."""
    from mnv2c.from_onnx.input_shapes import parse_shapes

    model, shapes = options.model, parse_shapes(options.input_shape)
    refuse_other_formats(model)
    if is_onnx(model):
        for name in ("weights", "width", "resolution", "classes", "weights_source"):
            if getattr(options, name) is not None:
                word = name.replace("_", "-")
                raise UserError(f"{model}: an ONNX file has its own {word}; leave --{word} out")
        return _from_onnx(Path(model), shapes)
    if shapes:
        raise UserError(f"{model}: --input-shape is for ONNX files; the size of this model is set by --resolution")
    from mnv2c import spec

    description = spec.describe(model, width=options.width, resolution=options.resolution, classes=options.classes)
    return _from_spec(description, options.weights, options.seed, options.weights_source)


def _from_spec(description: Description, weights: str | Path | None, seed: int, weights_source: str | None) -> Source:
    from mnv2c import to_onnx
    from mnv2c import weights as weights_package
    from mnv2c.spec.cost import cost

    checkpoint = weights_package.given_or_random(description, weights, seed, weights_source)
    spec, origin = checkpoint.spec, f"seeded random, seed {seed}"
    if weights is not None:
        origin = f"{visible(Path(weights).name)} ({checkpoint.source.title}), sha256 {_digest(Path(weights))}"
    emitted = to_onnx.emit(spec, checkpoint.tensors)
    return Source(
        model=emitted,
        serialized=to_onnx.serialize(emitted),
        title=_title(spec),
        summary=f"{spec.name}, width {spec.width:g}, {spec.resolution}, {spec.classes} classes",
        description={"kind": "spec", "toml": _toml(spec)} | _origin(checkpoint),
        weights=origin,
        preprocessing=checkpoint.preprocessing,
        params=cost(spec).parameters,
        spec=spec,
        labels=checkpoint.card.labels if checkpoint.card else (),
        insists=checkpoint.card is not None,
    )


def _origin(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known about published weights: their source and licence, the classes before the labels' first one.

    Of weights that describe themselves: task, licence and measured accuracy.
    """
    source, card = checkpoint.source, checkpoint.card
    if card is not None:
        described: dict[str, Any] = {"task": card.task, "licence": card.licence}
        return described | {
            "accuracy": dict(card.accuracy),
            "weights": "described in their own file",
            "class_offset": 0,
        }
    known = {"weights": source.title, "licence": source.licence, "class_offset": checkpoint.class_offset}
    return known if source.classes else {}


def _toml(spec: ModelSpec) -> str:
    from mnv2c.spec import to_toml

    return to_toml(spec)


def _digest(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


def _title(spec: ModelSpec) -> str:
    """``mobilenet_v2_100_224``: the name, the width in hundredths and the resolution, what the name says only once."""
    square = spec.height == spec.image_width
    size = f"{spec.height}" if square else f"{spec.height}x{spec.image_width}"
    title = spec.name
    for part in (f"{round(spec.width * 100):03d}", size):
        if part not in title.split("_"):
            title = f"{title}_{part}"
    return title


def _from_onnx(path: Path, shapes: Shapes) -> Source:
    from mnv2c.from_onnx import read_onnx

    model, content = read_onnx(path, shapes)
    fixed = {"input_shapes": {name: list(shape) for name, shape in shapes.items()}} if shapes else {}
    return Source(
        model=model,
        serialized=content,
        title=path.stem,
        summary=f"{visible(path.name)}, opset {model.opset_import[0].version}",
        description={"kind": "onnx", "file": visible(path.name)} | fixed,
        weights=f"{visible(path.name)}, sha256 {_digest(path)}",
    )


def library_name(source: Source, name: str | None) -> str:
    """Return the user's name if it is legal, else an identifier made from the model and its parameters."""
    from mnv2c.package import check_name
    from mnv2c.package.names import identifier

    return check_name(name) if name is not None else identifier(source.title)
