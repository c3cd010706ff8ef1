"""What a library must answer to a frame, computed a second time from the reference's outputs with NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.frames.description import Boxes, Classes, Mask, Picture, Scores
from mnv2c.learning.evaluation.boxes import decode, detections, prior_boxes
from mnv2c.verification.tolerance import FLOAT32

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]

NETWORK = 2 * FLOAT32
"""How far a network's own numbers may be off, relative to the largest: what they become may be as far off, and more."""


def test_frame(picture: Picture) -> Array:
    """A frame, uint8 [height, width, 3] in RGB, of the network's own size: noise, the same one every time."""
    shape = (picture.height, picture.width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def network_input(picture: Picture, frame: Array) -> Array:
    """The network's input for a frame of its own size: float32, in the order of its dimensions."""
    values = (frame / np.float32(255) - np.array(picture.mean, np.float32)) / np.array(picture.deviation, np.float32)
    values = values[..., ::-1] if picture.blue_first else values
    turned = values.transpose(2, 0, 1) if picture.planar else values
    return np.ascontiguousarray(turned[None], np.float32)


def answer_error(meaning: Classes | Boxes | Mask, picture: Picture, answer: Array, outputs: Arrays) -> str | None:
    """Say what is wrong with an answer (see `mnv2c.runtime.child.as_array`) for these outputs; None if it is right."""
    match meaning:
        case Classes():
            (scores,) = outputs.values()
            return _classes_error(meaning, answer, scores.reshape(-1).astype(np.float64))
        case Boxes():
            return _boxes_error(meaning, picture, answer, outputs)
    return None  # a mask in its own size is the output itself, which is compared before


def probabilities(scores: Array, kind: Scores) -> Array:
    """What scores mean, float64 [classes]."""
    match kind:
        case Scores.LOGITS:
            grown = np.exp(scores - scores.max())
            result: Array = grown / grown.sum()
        case Scores.LOGIT:
            result = 1 / (1 + np.exp(-scores))
        case Scores.LOG_PROBABILITIES:
            result = np.exp(scores)
        case _:
            result = scores
    return result


def _classes_error(meaning: Classes, answer: Array, scores: Array) -> str | None:
    wanted = probabilities(scores, meaning.scores)
    allowed = NETWORK * float(np.abs(wanted).max())
    if meaning.scores in (Scores.LOGITS, Scores.LOGIT, Scores.LOG_PROBABILITIES):
        allowed *= 2 * float(np.abs(scores).max(initial=1.0))  # exp makes an error of a logit one relative to itself
    best = np.sort(wanted)[::-1][: len(answer)]
    own = wanted[answer[:, 0].astype(np.int64)]
    if len(answer) != min(5, len(wanted)):
        return f"{len(answer)} classes instead of {min(5, len(wanted))}"
    worst = float(max(np.abs(answer[:, 1] - own).max(), np.abs(answer[:, 1] - best).max()))
    return None if worst <= allowed else f"scores of classes are off by {worst:.2e}, {allowed:.0e} is allowed"


def _boxes_error(meaning: Boxes, picture: Picture, answer: Array, outputs: Arrays) -> str | None:
    """Every detection must be one of the decoded boxes with its score, and the best score of all must be found."""
    convention, image = meaning.convention, (picture.height, picture.width)
    coded, scores = outputs["boxes"][0], outputs["scores"][0]
    priors = prior_boxes(convention, meaning.maps, image)
    wanted = detections(coded, scores, priors, convention)
    allowed = max(NETWORK * float(np.abs(scores).max()), NETWORK) * 2
    found = answer[:, 1] if len(answer) else np.zeros(0)
    if len(wanted.scores) and float(wanted.scores[0]) > convention.score_threshold + allowed:
        best = found[0] if len(found) else 0.0
        if abs(best - float(wanted.scores[0])) > allowed:
            return f"the best score of a box is {best:.4f} instead of {wanted.scores[0]:.4f}"
    if not len(found):
        return None
    boxes = decode(coded, priors, convention).clip(0, 1) * np.array([image[1], image[0]] * 2, np.float32)
    far = NETWORK * max(1.0, float(np.abs(coded).max())) * max(image) * 10
    places = answer[:, 2:].clip(0, max(image))
    nearest = np.abs(places[:, None, :] - boxes[None]).max(2).min(1)
    return None if nearest.max() <= far else f"a box lies {nearest.max():.1f} pixels from every decoded one"
