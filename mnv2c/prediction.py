"""Classifies pictures with a compiled library: picture, network, softmax, best classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c import image
from mnv2c.errors import LibraryError, UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mnv2c.runtime import Description

    Array = np.ndarray[Any, Any]

MAX_LABELS_BYTES = 1 << 20
SEEDED = "the weights are seeded random, so the classes mean nothing"


@dataclass(frozen=True)
class Entry:
    """One class of an answer: its index, its label (the index where there is none), its softmax probability."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The best classes of one picture, best first; ``milliseconds`` is one run, of the library alone."""

    image: str
    best: tuple[Entry, ...]
    milliseconds: float
    emulated: bool
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def classify(
    directory: Path,
    images: Sequence[str | Path],
    *,
    top: int = 5,
    labels: str | Path | None = None,
    picture: str | Path | None = None,
    threads: int | None = None,
    variant: str | None = None,
) -> list[Prediction]:
    """Run every picture through the library; see ``mnv2c.api.run``."""
    from mnv2c.execution import executor

    if top < 1:
        raise UserError(f"top is {top}; give at least 1")
    if picture is not None and len(images) != 1:
        raise UserError(f"a picture is written from one image only, not from {len(images)}")
    description, machine = executor(directory, threads, variant)
    height, width = _picture_size(description)
    meta = description.metadata
    names = _labels(labels, int(meta.get("model", {}).get("class_offset", 0)), description.outputs[0].shape[-1])
    how = image.Preprocessing.from_metadata(meta["inputs"][0])
    note = SEEDED if "seed" in str(meta.get("weights_source", "")) else ""
    seen = [image.crop_picture(image.open_picture(path), height, width, how.crop, how.interpolation) for path in images]
    predictions = []
    for path, pixels in zip(images, seen, strict=True):
        outputs, milliseconds = machine.run((_ordered(image.to_tensor(pixels, how), _is_planar(description)),))
        best = best_classes(outputs[0], top, names)
        predictions.append(Prediction(str(path), best, milliseconds, machine.emulated, note))
    if picture is not None:
        annotate(seen[0], predictions[0].best, Path(picture))
    return predictions


def best_classes(scores: Array, top: int, names: Sequence[str] = ()) -> tuple[Entry, ...]:
    """Return the ``top`` classes of a vector of logits of any shape, by softmax probability, best first."""
    import numpy as np

    logits = scores.reshape(-1).astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-logits, kind="stable")[:top]
    return tuple(Entry(int(i), names[i] if i < len(names) else f"class {i}", float(shares[i])) for i in order)


def _picture_size(description: Description) -> tuple[int, int]:
    """Return height and width of the only input; LibraryError where it is not a picture."""
    shape = description.inputs[0].shape
    if len(shape) == 4 and _is_planar(description):
        shape = (shape[0], *shape[2:], shape[1])
    if len(description.inputs) != 1 or len(shape) != 4 or shape[3] != 3:
        raise LibraryError(f"{description.name}: takes no single RGB picture; call mnv2c.load(DIR)(x) from Python")
    return shape[1], shape[2]


def _is_planar(description: Description) -> bool:
    """Whether the first input is NCHW, as in most ONNX files."""
    return bool(description.metadata["inputs"][0].get("layout") == "NCHW")


def _ordered(tensor: Array, planar: bool) -> Array:
    """Return an NHWC tensor in the order of the library's input."""
    import numpy as np

    return np.ascontiguousarray(tensor.transpose(0, 3, 1, 2)) if planar else tensor


def _labels(path: str | Path | None, offset: int, classes: int) -> list[str]:
    """Read the labels; a file without names for the network's first ``offset`` classes gets "background" for them."""
    names = _read_labels(path)
    return ["background"] * offset + names if offset and len(names) == classes - offset else names


def _read_labels(path: str | Path | None) -> list[str]:
    if path is None:
        return []
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(MAX_LABELS_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the labels: {getattr(error, 'strerror', None) or error}") from None


def annotate(picture: Image, best: Sequence[Entry], path: Path) -> None:
    """Write ``picture`` with the best classes beneath it; UserError for an unknown kind of file."""
    from PIL import Image, ImageDraw

    line = 14
    canvas = Image.new("RGB", (max(picture.width, 180), picture.height + line * len(best) + 6), (24, 24, 24))
    canvas.paste(picture, ((canvas.width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for row, entry in enumerate(best):
        text = f"{entry.probability:6.1%}  {entry.label}".encode("ascii", "replace").decode()
        draw.text((6, picture.height + 3 + row * line), text, fill=(235, 235, 235))
    temporary = path.with_name(f".mnv2c-{path.name}")
    try:
        canvas.save(temporary)
        temporary.replace(path)
    except (OSError, ValueError, KeyError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot write the picture: {getattr(error, 'strerror', None) or error}") from None
