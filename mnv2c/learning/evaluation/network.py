"""A compiled library as something that answers pictures: classes, boxes or masks, in terms of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnv2c.errors import LibraryError, UserError
from mnv2c.learning.evaluation.boxes import detections, prior_boxes
from mnv2c.learning.evaluation.detection import Detections
from mnv2c.learning.evaluation.geometry import Geometry
from mnv2c.pictures.image import Preprocessing, fit_picture, to_tensor
from mnv2c.pictures.logits import resized
from mnv2c.runtime.frame import UNSEEN

if TYPE_CHECKING:
    from mnv2c.runtime import Description, Frame
    from mnv2c.spec import ModelSpec

Pixels = NDArray[np.uint8]
Answer = NDArray[np.float32] | Detections | NDArray[np.uint8]


BY = ("library", "pillow")
"""Who prepares pictures and reads the outputs: the library's own C, or Pillow and NumPy, a second opinion.

Pillow resizes without aliasing, as the sources of most published classifiers do.
"""


class Network:
    """A compiled folder with its own description of what goes in and what comes out.

    ``task`` is "classifier", "detector" or "segmenter"; ``labels`` are its classes by number, or (); ``offset`` is how
    many of them come before the data's first. ``by`` is one of ``BY``; a library without C for pictures has the second.
    """

    def __init__(
        self, directory: str | Path, threads: int | None = None, by: str = "library", variant: str | None = None
    ) -> None:
        from mnv2c.runtime.execution import executor

        if by not in BY:
            raise UserError(f'pictures by "{by}": choose from {", ".join(BY)}')
        self.description, self.machine = executor(directory, threads, variant)
        meta = self.description.metadata
        model, port = meta.get("model", {}), meta["inputs"][0]
        self.spec = _spec(model)
        self.task = self.spec.family if self.spec else "classifier"
        self.labels: tuple[str, ...] = tuple(meta.get("labels") or ())
        self.offset = int(model.get("class_offset", 0))
        self.planar = port.get("layout") == "NCHW"
        self.size = _picture_size(self.description, self.planar)
        self.classes = self.spec.classes if self.spec else max(self.description.outputs[0].shape)
        self.preprocessing = Preprocessing.from_metadata(port)
        self.blue_first = (port.get("preprocessing") or {}).get("channels") == "bgr"
        known = (meta.get("frames") or {}).get("answer") in ("classes", "boxes", "mask")
        self.frames = self.machine.frames() if known and by == "library" else None

    @property
    def by(self) -> str:
        """Which of ``BY`` it is."""
        return BY[self.frames is None]

    def input(self, image: Pixels) -> NDArray[np.float32]:
        """The network's input for a picture uint8 [H, W, 3], red first: fitted, resized, normalised."""
        if self.frames is not None:
            return self.frames.load(_frame(image))
        from PIL import Image

        fitted = fit_picture(Image.fromarray(image), *self.size, self.preprocessing)
        tensor = to_tensor(fitted, self.preprocessing)
        tensor = tensor[..., ::-1] if self.blue_first else tensor
        return np.ascontiguousarray(tensor.transpose(0, 3, 1, 2) if self.planar else tensor)

    def answer(self, image: Pixels) -> tuple[Answer, float]:
        """Answer a picture uint8 [H, W, 3], and say how many milliseconds the network took, without preparation.

        Scores of all classes; ``Detections`` whose classes are the network's numbers; or a mask of the picture's size.
        """
        outputs, milliseconds = self.machine.run((self.input(image),))
        if self.frames is None or self.task == "classifier":
            return self.interpret(outputs, (image.shape[0], image.shape[1])), milliseconds
        found: Any = self.frames.answer(outputs, _frame(image))
        if self.task == "segmenter":
            return np.where(found == UNSEEN, 0, found).astype(np.uint8), milliseconds
        boxes = np.array([each.box for each in found], np.float32).reshape(-1, 4)
        classes = np.array([each.class_id for each in found], np.int64)
        return Detections(boxes, classes, np.array([each.score for each in found], np.float32)), milliseconds

    def interpret(self, outputs: Sequence[NDArray[Any]], picture: tuple[int, int]) -> Answer:
        """What the raw outputs say about a picture of this height and width."""
        if self.task == "classifier":
            return outputs[0].reshape(-1)
        assert self.spec is not None  # only descriptions have other families
        geometry = Geometry.of(picture, self.size, self.preprocessing)
        named = {port.name: output for port, output in zip(self.description.outputs, outputs, strict=True)}
        if self.task == "detector":
            return _boxes(named, self.spec, self.size, geometry, picture)
        if "mask" in named:
            mask = named["mask"]
        else:
            mask = resized(named["logits"][0], *self.size, self.spec.align_corners).argmax(-1).astype(np.uint8)
        return geometry.mask(mask.reshape(self.size), picture)


def _frame(image: Pixels) -> Frame:
    from mnv2c.runtime import Frame

    return Frame.of(image)


def _spec(model: dict[str, Any]) -> ModelSpec | None:
    """The description that the library was made from; None where it was made from an ONNX file."""
    from mnv2c.spec import from_toml

    return from_toml(model["toml"], "the model in NAME.json") if "toml" in model else None


def _picture_size(description: Description, planar: bool) -> tuple[int, int]:
    shape = description.inputs[0].shape
    if len(shape) == 4 and planar:
        shape = (shape[0], *shape[2:], shape[1])
    if len(description.inputs) != 1 or len(shape) != 4 or shape[3] != 3:
        raise LibraryError(f"{description.name}: takes no single RGB picture, so there is nothing to measure it with")
    return shape[1], shape[2]


def _boxes(
    named: dict[str, NDArray[Any]],
    spec: ModelSpec,
    size: tuple[int, int],
    geometry: Geometry,
    picture: tuple[int, int],
) -> Detections:
    """Decode, suppress, and put into the picture; classes become the network's numbers."""
    from mnv2c.spec import layers
    from mnv2c.spec.detector import feature_maps
    from mnv2c.spec.priors import CONVENTIONS

    how = CONVENTIONS[spec.boxes]
    priors = prior_boxes(how, feature_maps(layers(spec)), size)
    found = detections(named["boxes"].reshape(-1, 4), named["scores"].reshape(-1, spec.classes), priors, how)
    pixels = found.boxes * np.array([size[1], size[0]] * 2, np.float32)
    background = 0 if how.background is None else 1
    return replace(found, boxes=geometry.boxes(pixels, picture), classes=found.classes + background)
