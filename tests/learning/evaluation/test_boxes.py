"""Boxes: decoding is the inverse of coding, suppression keeps the best, fitting is undone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.boxes import decode, detections, prior_boxes
from mnv2c.learning.evaluation.geometry import Geometry
from mnv2c.pictures.image import Preprocessing, fit_picture
from mnv2c.spec.priors import CONVENTIONS

MAPS = ((4, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))
PICTURES = [(60, 100), (100, 60), (64, 64), (31, 97)]
NETWORK = (48, 56)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_what_is_decoded_is_what_was_coded(name: str) -> None:
    training = pytest.importorskip("mnv2c.learning.training.boxes", exc_type=ImportError)
    how = CONVENTIONS[name]
    priors = prior_boxes(how, MAPS, (64, 80))
    random = np.random.default_rng(1)
    corners = random.uniform(0, 0.6, (len(priors), 2))
    boxes = np.concatenate([corners, corners + random.uniform(0.05, 0.4, corners.shape)], 1).astype(np.float32)
    np.testing.assert_allclose(decode(training.encode(boxes, priors, how), priors, how), boxes, atol=1e-5)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_raw_numbers_become_one_detection(name: str) -> None:
    """Zeros stand for the prior boxes themselves; one score is high, and so is a lower one of a neighbour."""
    how = CONVENTIONS[name]
    priors = prior_boxes(how, MAPS, (64, 80))
    scores = np.full((len(priors), 4), -9.0, np.float32)
    scores[:, 0] = 5.0 if how.background == 0 else -9.0
    twin = next(
        index
        for index in range(len(priors))
        if index != 3 and np.abs(priors[index] - priors[3]).max() < 0.15 and index > 3
    )
    scores[3, 2], scores[twin, 3] = 9.0, 8.0
    found = detections(np.zeros((len(priors), 4), np.float32), scores, priors, how)
    good = found.scores > 0.5
    offset = 0 if how.background is None else 1
    assert found.classes[good].tolist() == [2 - offset, 3 - offset]
    cx, cy, w, h = priors[3]
    edges = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    np.testing.assert_allclose(found.boxes[0], edges.clip(0, 1) if how.clip_first else edges, atol=1e-6)


def test_of_overlapping_boxes_of_a_class_the_best_remains() -> None:
    how = replace(CONVENTIONS["torchvision"], score_threshold=0.1)
    priors = prior_boxes(how, MAPS, (64, 80))
    same = np.tile(priors[:1], (len(priors), 1))
    scores = np.zeros((len(priors), 3), np.float32)
    scores[:, 1] = np.linspace(0, 3, len(priors))
    found = detections(np.zeros((len(priors), 4), np.float32), scores, same, how)
    assert (found.classes == 0).sum() == 1
    assert found.scores[found.classes == 0][0] == pytest.approx(np.exp(3) / (np.exp(3) + 2), rel=1e-5)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("picture", PICTURES)
def test_fitting_is_undone(fit: str, picture: tuple[int, int]) -> None:
    """A bright rectangle is fitted as a picture is; where it lands there is where the geometry says."""
    height, width = picture
    pixels = np.zeros((height, width, 3), np.uint8)
    box = np.array([[width * 0.4, height * 0.4, width * 0.6, height * 0.7]]).round()
    left, top, right, bottom = box[0].astype(int)
    pixels[top:bottom, left:right] = 255
    how = Preprocessing(fit=fit, crop=0.875)
    seen = np.asarray(fit_picture(Image.fromarray(pixels), *NETWORK, how))[..., 0] > 160
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    there = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float32)
    geometry = Geometry.of(picture, NETWORK, how)
    per_pixel = max(1 / geometry.scale_x, 1 / geometry.scale_y)
    np.testing.assert_allclose(geometry.boxes(there, picture), box, atol=0.75 * per_pixel + 0.5)
    mask = geometry.mask(seen.astype(np.uint8), picture)
    assert mask.shape == picture
    wrong = mask != (pixels[..., 0] > 0)
    assert wrong.sum() <= 2 * per_pixel * ((right - left) + (bottom - top))


def test_what_a_crop_did_not_see_is_background() -> None:
    geometry = Geometry.of((40, 120), (48, 48), Preprocessing(fit="crop", crop=1.0))
    mask = geometry.mask(np.ones((48, 48), np.uint8), (40, 120))
    assert mask[:, :39].max() == 0 and mask[:, 81:].max() == 0 and mask[:, 42:78].min() == 1


def test_an_unknown_fit() -> None:
    how = Preprocessing(fit="squeeze")
    with pytest.raises(UserError, match="'squeeze' of the picture: choose from crop, stretch, letterbox"):
        Geometry.of((4, 4), (4, 4), how)
    with pytest.raises(UserError, match="'squeeze' of the picture: choose from crop, stretch, letterbox"):
        fit_picture(Image.new("RGB", (4, 4)), 4, 4, how)
