"""Prior boxes of the three conventions against other implementations of them, and against their known numbers."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import SpecError
from mnv2c.learning.evaluation.boxes import prior_boxes
from mnv2c.spec.priors import CONVENTIONS, convention
from tests.weights.foreign import package

MAPS_300 = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
MAPS_320 = [(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]

sides = st.integers(1, 9)
maps = st.lists(st.tuples(sides, sides), min_size=6, max_size=6)


@pytest.mark.parametrize(
    ("name", "sizes", "image", "count"),
    [
        ("tf_object_detection", MAPS_300, 300, 1917),
        ("torchvision", MAPS_320, 320, 3234),
        ("qfgaohao", MAPS_300, 300, 3000),
    ],
)
def test_the_published_numbers_of_boxes(name: str, sizes: list[tuple[int, int]], image: int, count: int) -> None:
    boxes = prior_boxes(CONVENTIONS[name], sizes, (image, image))
    assert boxes.shape == (count, 4) and boxes.dtype == np.float32
    per_map = CONVENTIONS[name].anchors_per_map
    assert sum(rows * columns * each for (rows, columns), each in zip(sizes, per_map, strict=True)) == count


@given(maps, st.integers(32, 700), st.integers(32, 700))
def test_torchvision(sizes: list[tuple[int, int]], height: int, width: int) -> None:
    torch = package("torch")
    anchor_utils = package("torchvision.models.detection.anchor_utils")
    image_list = package("torchvision.models.detection.image_list")
    generator = anchor_utils.DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    images = image_list.ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    corners = generator(images, [torch.zeros(1, 1, *size) for size in sizes])[0].numpy()
    ours = prior_boxes(CONVENTIONS["torchvision"], sizes, (height, width)).astype(np.float64)
    scale = np.array([width, height])
    start, end = (ours[:, :2] - ours[:, 2:] / 2) * scale, (ours[:, :2] + ours[:, 2:] / 2) * scale
    np.testing.assert_allclose(np.hstack([start, end]), corners, atol=2e-3)


def tf_object_detection(sizes: list[tuple[int, int]], height: int, width: int) -> list[list[float]]:
    """The multiple-grid anchor generator of an SSD, with the lowest layer reduced, box by box."""
    scales = [0.2 + (0.95 - 0.2) * layer / 5 for layer in range(6)] + [1.0]
    boxes = []
    for layer, (rows, columns) in enumerate(sizes):
        scale = scales[layer]
        pairs = [(scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)] + [(sqrt(scale * scales[layer + 1]), 1.0)]
        pairs = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)] if layer == 0 else pairs
        for row, column, (size, ratio) in itertools.product(range(rows), range(columns), pairs):
            w = size * sqrt(ratio) * min(height, width) / width
            h = size / sqrt(ratio) * min(height, width) / height
            boxes.append([(column + 0.5) / columns, (row + 0.5) / rows, w, h])
    return boxes


@given(maps, st.integers(32, 700), st.integers(32, 700))
def test_tf_object_detection(sizes: list[tuple[int, int]], height: int, width: int) -> None:
    ours = prior_boxes(CONVENTIONS["tf_object_detection"], sizes, (height, width))
    np.testing.assert_allclose(ours, tf_object_detection(sizes, height, width), rtol=1e-6)


def qfgaohao() -> list[list[float]]:
    """The prior boxes of a 300x300 MobileNet SSD: shrinkage, smallest and largest box of every map, in pixels."""
    table = [(19, 16, 60, 105), (10, 32, 105, 150), (5, 64, 150, 195), (3, 100, 195, 240), (2, 150, 240, 285)]
    boxes = []
    for cells, shrinkage, least, most in [*table, (1, 300, 285, 330)]:
        for row, column in itertools.product(range(cells), repeat=2):
            centre = [(column + 0.5) / (300 / shrinkage), (row + 0.5) / (300 / shrinkage)]
            shapes = [(least, least), (sqrt(least * most), sqrt(least * most))]
            for ratio in (2, 3):
                shapes.append((least * sqrt(ratio), least / sqrt(ratio)))
                shapes.append((least / sqrt(ratio), least * sqrt(ratio)))
            boxes += [[min(max(value, 0), 1) for value in (*centre, w / 300, h / 300)] for w, h in shapes]
    return boxes


def test_qfgaohao() -> None:
    np.testing.assert_allclose(prior_boxes(CONVENTIONS["qfgaohao"], MAPS_300, (300, 300)), qfgaohao(), rtol=1e-6)


def test_another_number_of_maps_is_refused() -> None:
    with pytest.raises(SpecError, match="prior boxes for 6 maps, not 1"):
        prior_boxes(CONVENTIONS["qfgaohao"], [(19, 19)], (300, 300))


def test_an_unknown_convention_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(SpecError, match="tf_object_detection, torchvision, qfgaohao"):
        convention("yolo")
