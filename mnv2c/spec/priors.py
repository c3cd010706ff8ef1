"""Box conventions of SSD detectors as data, and the prior boxes that follow from them.

Three families of weights code boxes differently; what differs is in ``CONVENTIONS`` and nowhere else. The facts are
those of the pipeline ``ssdlite_mobilenet_v2_coco`` of the TensorFlow Object Detection API, of torchvision's
``ssdlite320_mobilenet_v3_large``, and of qfgaohao's ``mb2-ssd-lite``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import Literal

from mnv2c.errors import SpecError


@dataclass(frozen=True)
class Anchor:
    """One prior box of a cell: ``ratio`` is width over height, its area that of a square of its size.

    The size is the map's own times ``factor``, or with ``between`` the geometric mean of its own and the next map's.
    """

    ratio: float
    between: bool = False
    factor: float = 1.0


@dataclass(frozen=True)
class BoxConvention:
    """How a detector's raw numbers become boxes.

    A box is coded against its prior (cx, cy, w, h) as cx' = cx + d0 * v0 * w, w' = w * exp(min(d2 * v1, clamp)), and so
    for y and h, with the four numbers in the order ``coding`` and ``variances`` = (v0, v1).
    """

    name: str
    sizes: tuple[float, ...]
    """Size of the boxes of every map relative to the image, and one more that the last map's ``between`` uses."""
    anchors: tuple[tuple[Anchor, ...], ...]
    """The boxes of a cell in their order, for every map."""
    steps: tuple[int | None, ...]
    """Pixels from cell to cell, for every map; None for the image divided by the number of cells."""
    square: bool
    """In images that are not square a box of ratio 1 is a square of pixels; else it has the image's ratio."""
    clip: Literal["nothing", "sizes", "all"]
    """Which of the priors' numbers are limited to 0 ... 1."""
    coding: tuple[int, int, int, int]
    """Where among a box's four raw numbers those for x, y, w and h are."""
    variances: tuple[float, float]
    clamp: float | None
    """The largest argument of exp."""
    score: Literal["sigmoid", "softmax"]
    background: int | None
    """The slot among the scores that is no class; softmax counts it, no detection has it."""
    iou: float
    """Of two boxes of a class that overlap more, the lower score goes."""
    score_threshold: float
    """Detections have a higher score."""
    candidates: int | None
    """The best of a class that are compared with each other; None for all."""
    per_class: int | None
    """The most detections of a class; None for as many as in total."""
    detections: int
    """The most detections in total."""
    clip_first: bool
    """Boxes are cut at the image's border before they are compared, else afterwards."""
    maps: int = field(init=False)

    def __post_init__(self) -> None:
        """Set ``maps``, the number of feature maps."""
        object.__setattr__(self, "maps", len(self.anchors))

    @property
    def anchors_per_map(self) -> tuple[int, ...]:
        """Boxes per cell, for every map."""
        return tuple(map(len, self.anchors))


PAIRS = (Anchor(2), Anchor(1 / 2), Anchor(3), Anchor(1 / 3))
LINEAR = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)

CONVENTIONS: dict[str, BoxConvention] = {
    convention.name: convention
    for convention in (
        BoxConvention(
            name="tf_object_detection",
            sizes=(*LINEAR, 1.0),
            anchors=(
                (Anchor(1, factor=0.5), Anchor(2), Anchor(1 / 2)),
                *[(Anchor(1), Anchor(2), Anchor(0.5), Anchor(3), Anchor(0.3333), Anchor(1, between=True))] * 5,
            ),
            steps=(None,) * 6,
            square=True,
            clip="nothing",
            coding=(1, 0, 3, 2),
            variances=(0.1, 0.2),
            clamp=80.0,
            score="sigmoid",
            background=0,
            iou=0.6,
            score_threshold=1e-8,
            candidates=None,
            per_class=100,
            detections=100,
            clip_first=False,
        ),
        BoxConvention(
            name="torchvision",
            sizes=(*LINEAR, 1.0),
            anchors=((Anchor(1), Anchor(1, between=True), *PAIRS),) * 6,
            steps=(None,) * 6,
            square=False,
            clip="sizes",
            coding=(0, 1, 2, 3),
            variances=(0.1, 0.2),
            clamp=log(1000 / 16),
            score="softmax",
            background=0,
            iou=0.55,
            score_threshold=0.001,
            candidates=300,
            per_class=None,
            detections=300,
            clip_first=True,
        ),
        BoxConvention(
            name="qfgaohao",
            sizes=(*LINEAR, 1.1),
            anchors=((Anchor(1), Anchor(1, between=True), *PAIRS),) * 6,
            steps=(16, 32, 64, None, None, None),
            square=False,
            clip="all",
            coding=(0, 1, 2, 3),
            variances=(0.1, 0.2),
            clamp=None,
            score="softmax",
            background=0,
            iou=0.45,
            score_threshold=0.01,
            candidates=200,
            per_class=None,
            detections=200,  # the original has no limit; a library's memory must have one
            clip_first=False,
        ),
    )
}
"""The conventions by name."""


def convention(name: str) -> BoxConvention:
    """The convention ``name``; SpecError for one that is not known."""
    if name not in CONVENTIONS:
        raise SpecError(f'boxes = "{name}": no such convention; give one of {", ".join(CONVENTIONS)}')
    return CONVENTIONS[name]


@dataclass(frozen=True)
class PriorMap:
    """The prior boxes of a feature map: its cells, from cell to cell, and (width, height) of the boxes of a cell.

    All lengths are relative to the image. The boxes are centred in their cells.
    """

    rows: int
    columns: int
    y_step: float
    x_step: float
    sizes: tuple[tuple[float, float], ...]


def prior_maps(
    convention: BoxConvention, feature_maps: Sequence[tuple[int, int]], image: tuple[int, int]
) -> tuple[PriorMap, ...]:
    """Cells and box sizes of feature maps of (rows, columns) for an image of (height, width) pixels.

    The sizes are limited as ``convention.clip`` says. SpecError where the number of maps is not the convention's.
    """
    if len(feature_maps) != convention.maps:
        raise SpecError(f"{convention.name}: has prior boxes for {convention.maps} maps, not {len(feature_maps)}")
    return tuple(
        PriorMap(
            rows=rows,
            columns=columns,
            y_step=_step(convention.steps[index], rows, image[0]),
            x_step=_step(convention.steps[index], columns, image[1]),
            sizes=tuple(_size(convention, index, anchor, image) for anchor in convention.anchors[index]),
        )
        for index, (rows, columns) in enumerate(feature_maps)
    )


def _step(pixels: int | None, cells: int, extent: int) -> float:
    """From cell to cell, relative to the image."""
    return 1 / cells if pixels is None else pixels / extent


def _size(convention: BoxConvention, index: int, anchor: Anchor, image: tuple[int, int]) -> tuple[float, float]:
    """Width and height of a prior, relative to the image."""
    own, following = convention.sizes[index : index + 2]
    size = sqrt(own * following) if anchor.between else own * anchor.factor
    height, width = image
    short = min(image)
    across, down = (short / width, short / height) if convention.square else (1.0, 1.0)
    most = inf if convention.clip == "nothing" else 1.0
    return min(size * sqrt(anchor.ratio) * across, most), min(size / sqrt(anchor.ratio) * down, most)
