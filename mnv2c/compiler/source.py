"""The front of the pipeline: whatever the user named becomes one ONNX model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.errors import OnnxError, UserError

if TYPE_CHECKING:
    import onnx

    from mnv2c.spec import ModelSpec

MAXIMUM_ONNX_BYTES = 2_000_000_000
"""What a protobuf file can hold."""


@dataclass(frozen=True)
class Source:
    """The model that all later phases start from.

    ``summary`` is one line for people, ``description`` goes into the metadata; ``params`` is None for an ONNX file,
    whose parameters are counted as the folded network's.
    """

    model: onnx.ModelProto
    serialized: bytes
    title: str
    summary: str
    description: dict[str, Any]
    weights: str
    params: int | None = None


def read_source(
    model: str | Path,
    weights: str | Path | None,
    seed: int,
    *,
    width: float | None,
    resolution: int | str | tuple[int, int] | None,
    classes: int | None,
) -> Source:
    """Return the source of an ONNX file, or of a spec with its weights; raises SpecError, WeightsError or OnnxError."""
    if Path(model).suffix == ".onnx":
        overrides = {"weights": weights, "width": width, "resolution": resolution, "classes": classes}
        given = [name for name, value in overrides.items() if value is not None]
        if given:
            raise UserError(f"{model}: an ONNX file has its own {given[0]}; leave --{given[0]} out")
        return _from_onnx(Path(model))
    from mnv2c import spec

    return _from_spec(spec.load(model, width=width, resolution=resolution, classes=classes), weights, seed)


def _from_spec(spec: ModelSpec, weights: str | Path | None, seed: int) -> Source:
    from mnv2c import to_onnx
    from mnv2c import weights as weights_package
    from mnv2c.spec.cost import cost

    if weights is None:
        tensors, origin = weights_package.random_weights(spec, seed), f"seeded random, seed {seed}"
    else:
        tensors, origin = weights_package.read(weights, spec), f"{Path(weights).name}, sha256 {_digest(Path(weights))}"
    emitted = to_onnx.emit(spec, tensors)
    return Source(
        model=emitted,
        serialized=to_onnx.serialize(emitted),
        title=_title(spec),
        summary=f"{spec.name}, width {spec.width:g}, {spec.resolution}, {spec.classes} classes",
        description={"kind": "spec", "toml": _toml(spec)},
        weights=origin,
        params=cost(spec).parameters,
    )


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


def _from_onnx(path: Path) -> Source:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        if path.stat().st_size > MAXIMUM_ONNX_BYTES:
            raise OnnxError(f"{path}: larger than 2 GB; an ONNX file cannot be")
        content = path.read_bytes()
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except OSError as error:
        raise OnnxError(f"{path}: cannot be read: {error.strerror}") from None
    except DecodeError:
        raise OnnxError(f"{path}: not an ONNX file, or a truncated one; export it again") from None
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise OnnxError(f"{path}: not a valid ONNX model: {str(error).strip().splitlines()[0]}") from None
    return Source(
        model=model,
        serialized=content,
        title=path.stem,
        summary=f"{path.name}, opset {model.opset_import[0].version if model.opset_import else 'unknown'}",
        description={"kind": "onnx", "file": path.name},
        weights=f"{path.name}, sha256 {_digest(path)}",
    )


def library_name(source: Source, name: str | None) -> str:
    """Return the user's name if it is legal, else an identifier made from the model and its parameters."""
    from mnv2c.package import check_name
    from mnv2c.package.names import identifier

    return check_name(name) if name is not None else identifier(source.title)
