"""What a library knows of pictures, as data: the network's input picture, and what its outputs mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from mnv2c.spec.priors import BoxConvention

Fit = Literal["stretch", "letterbox", "crop"]
"""How a frame of another shape gets into the network's picture."""


@dataclass(frozen=True)
class Picture:
    """The network's only input, float32 [1, height, width, 3], or [1, 3, height, width] if ``planar``.

    A number is (pixel / 255 - mean) / deviation; ``mean`` and ``deviation`` are of red, green and blue. The channels
    are in this order, or with ``blue_first`` in the other. ``fit`` is what the weights were trained with, ``share`` is
    what a centre crop keeps of a frame's tighter side. The bars of a letterbox have the grey value ``bar``, 0 to 255.
    """

    height: int
    width: int
    planar: bool = False
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)
    blue_first: bool = False
    fit: Fit = "crop"
    share: float = 0.875
    bar: float = 127.5


class Scores(StrEnum):
    """What the numbers of classes are, as ``NAME.json`` says it.

    ``LOGITS`` become probabilities by softmax, a single ``LOGIT`` by the logistic function, ``LOG_PROBABILITIES`` by
    exp. The others stay as they are: ``PROBABILITIES`` of classes that exclude each other, ``INDEPENDENT`` ones, each
    from 0 to 1 on its own, and a network's ``OWN`` numbers, of which only the order is known.
    """

    LOGITS = "logits"
    LOGIT = "logit"
    PROBABILITIES = "probabilities"
    LOG_PROBABILITIES = "log-probabilities"
    INDEPENDENT = "independent"
    OWN = "own"


@dataclass(frozen=True)
class Classes:
    """One output with a number per class."""

    count: int
    scores: Scores = Scores.LOGITS


@dataclass(frozen=True)
class Boxes:
    """Outputs ``boxes`` [1, N, 4] and ``scores`` [1, N, slots], raw.

    ``maps`` are (rows, columns) of the feature maps; ``first`` is the place of ``boxes`` among the two outputs.
    """

    convention: BoxConvention
    maps: tuple[tuple[int, int], ...]
    slots: int
    first: int = 0

    @property
    def priors(self) -> int:
        """Number of prior boxes, N."""
        cells = [rows * columns for rows, columns in self.maps]
        return sum(count * each for count, each in zip(cells, self.convention.anchors_per_map, strict=True))


@dataclass(frozen=True)
class Mask:
    """One output, uint8 [1, height, width], of the size of the input picture: the class of every pixel.

    With ``logits`` the output is float32 [1, rows, columns, classes] instead, and the mask is the caller's to make.
    """

    classes: int
    logits: bool = False


@dataclass(frozen=True)
class Frames:
    """All that the C of a library needs to know. ``picture`` is None where its input is no picture.

    ``answer`` is None where the outputs mean nothing known. ``labels`` are the names of classes 0, 1, ...
    """

    picture: Picture | None = None
    answer: Classes | Boxes | Mask | None = None
    labels: tuple[str, ...] = field(default=())
