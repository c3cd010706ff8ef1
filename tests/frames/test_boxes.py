"""Decoding, suppression and geometry of boxes against NumPy and onnxruntime."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mnv2c.frames import Boxes, Frames, Picture
from mnv2c.learning.evaluation.boxes import prior_boxes
from mnv2c.runtime.frame import Frame, to_c
from mnv2c.spec.priors import CONVENTIONS, BoxConvention
from tests.frames import reference
from tests.frames.native import E_WORKSPACE, aligned, native, pointer

Array = np.ndarray[Any, Any]

MAPS = ((3, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))
PICTURE = Picture(96, 160, fit="stretch")
SLOTS = 5
NAMES = list(CONVENTIONS)


def detector(name: str, **changes: Any) -> Frames:
    return Frames(PICTURE, Boxes(replace(CONVENTIONS[name], **changes), MAPS, SLOTS))


def priors_of(frames: Frames) -> Array:
    assert isinstance(frames.answer, Boxes)
    return prior_boxes(frames.answer.convention, MAPS, (96, 160)).astype(np.float64)


def codes_of(boxes: Array, priors: Array, convention: BoxConvention) -> Array:
    """The raw numbers that mean ``boxes`` (x0, y0, x1, y1 relative to the picture): decoding backwards."""
    size, centre = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    coded = np.concatenate(
        [
            (centre - priors[:, :2]) / priors[:, 2:] / convention.variances[0],
            np.log(size / priors[:, 2:]) / convention.variances[1],
        ],
        axis=1,
    )
    made = np.empty_like(coded)
    made[:, list(convention.coding)] = coded
    return made[None].astype(np.float32)


def decoded(codes: Array, priors: Array, convention: BoxConvention) -> Array:
    x, y, w, h = (codes[..., place].astype(np.float64) for place in convention.coding)
    v0, v1 = convention.variances
    wide, high = (np.minimum(size * v1, convention.clamp or 80) for size in (w, h))
    centre = priors[:, :2] + np.stack([x, y], -1) * v0 * priors[:, 2:]
    half = np.exp(np.stack([wide, high], -1)) * priors[:, 2:] / 2
    boxes = np.concatenate([centre - half, centre + half], -1)
    return boxes.clip(0, 1) if convention.clip_first else boxes


def probabilities(scores: Array, convention: BoxConvention) -> Array:
    scores = scores.astype(np.float64)
    if convention.score == "sigmoid":
        return 1 / (1 + np.exp(-scores))
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def overlaps(boxes: Array) -> Array:
    """Intersection over union of all pairs; 0 for empty boxes."""
    low, high = np.maximum(boxes[:, None, :2], boxes[:, :2]), np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    both = (high - low).clip(0).prod(-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1)
    union = areas[:, None] + areas - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def detections(codes: Array, scores: Array, frames: Frames, most: int = 1000) -> list[tuple[float, int, Array]]:
    """Score, class and box relative to the picture of what is detected, box by box as the definition says."""
    assert isinstance(frames.answer, Boxes)
    convention = frames.answer.convention
    boxes = decoded(codes[0], priors_of(frames), convention)
    shares = probabilities(scores[0], convention)
    pairs = overlaps(boxes) > convention.iou
    found = []
    for slot in range(SLOTS):
        if slot == convention.background:
            continue
        order = sorted(range(len(boxes)), key=lambda index: (-shares[index, slot], index))
        order = [index for index in order if shares[index, slot] > convention.score_threshold]
        kept: list[int] = []
        for index in order[: convention.candidates]:
            if len(kept) < (convention.per_class or 10**9):
                if not pairs[index, kept].any():
                    kept.append(index)
        found += [(float(shares[index, slot]), slot, boxes[index]) for index in kept]
    found.sort(key=lambda each: -each[0])  # stable: by class, then by prior box
    return found[: min(most, convention.detections)]


def is_clear(codes: Array, scores: Array, frames: Frames) -> bool:
    """Whether no decision hangs on how float32 rounds: an order of scores, an overlap at the limit."""
    assert isinstance(frames.answer, Boxes)
    convention = frames.answer.convention
    shares = np.sort(probabilities(scores[0], convention)[:, 1:].reshape(-1))
    pairs = overlaps(decoded(codes[0], priors_of(frames), convention))
    return bool((np.diff(shares) > 4e-7 * shares[1:]).all() and (np.abs(pairs - convention.iou) > 5e-6).all())


def assert_same(found: list[Any], wanted: list[Any], frame: Frame) -> None:
    size = np.array([frame.width, frame.height] * 2)
    assert [each[1] for each in found] == [each[1] for each in wanted]
    np.testing.assert_allclose([each[0] for each in found], [each[0] for each in wanted], rtol=2e-6, atol=1e-12)
    for (_, _, box), (_, _, relative) in zip(found, wanted, strict=True):
        np.testing.assert_allclose(box, relative.clip(0, 1) * size, atol=0.01)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.2, 1.0, 2.0]), st.integers(1, 400), st.integers(1, 400))
@pytest.mark.parametrize("name", NAMES)
def test_random_outputs(name: str, seed: int, spread: float, width: int, height: int) -> None:
    # Limits that small numbers of boxes reach, too.
    changes = {"candidates": 20, "per_class": 9, "detections": 25} if seed % 2 else {}
    frames = detector(name, **changes)
    rng = np.random.default_rng(seed)
    priors = len(priors_of(frames))
    codes = rng.normal(0, 3 * spread, (1, priors, 4)).astype(np.float32)
    scores = rng.normal(0, spread, (1, priors, SLOTS)).astype(np.float32)
    assume(is_clear(codes, scores, frames))
    frame = Frame.of(np.zeros((height, width, 3), np.uint8))
    assert_same(native(frames).detect(codes, scores, frame), detections(codes, scores, frames), frame)
    few = native(frames).detect(codes, scores, frame, most=7)
    assert_same(few, detections(codes, scores, frames, most=7), frame)


@pytest.mark.parametrize("name", NAMES)
def test_suppression_is_that_of_onnxruntime(name: str) -> None:
    frames = detector(name, candidates=None, per_class=None, detections=2000, clip_first=False)
    assert isinstance(frames.answer, Boxes)
    convention = frames.answer.convention
    rng = np.random.default_rng(11)
    count = len(priors_of(frames))
    codes = rng.normal(0, 2, (1, count, 4)).astype(np.float32)
    scores = rng.normal(0, 2, (1, count, SLOTS)).astype(np.float32)
    boxes = decoded(codes[0], priors_of(frames), convention).astype(np.float32)
    shares = probabilities(scores[0], convention).astype(np.float32)
    picked = onnx_suppression(boxes, shares, convention)
    wanted = sorted(((float(shares[i, c]), int(c), boxes[i]) for c, i in picked if c != convention.background),
                    key=lambda each: -each[0])  # fmt: skip
    frame = Frame.of(np.zeros((96, 160, 3), np.uint8))
    assert len(wanted) > 20
    assert_same(native(frames).detect(codes, scores, frame, most=2000), wanted, frame)


def onnx_suppression(boxes: Array, shares: Array, convention: BoxConvention) -> list[tuple[int, int]]:
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    inputs = [("boxes", TensorProto.FLOAT), ("scores", TensorProto.FLOAT), ("most", TensorProto.INT64)]
    inputs += [("iou", TensorProto.FLOAT), ("score", TensorProto.FLOAT)]
    node = helper.make_node("NonMaxSuppression", [name for name, _ in inputs], ["picked"])
    graph = helper.make_graph(
        [node],
        "suppression",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs],
        [helper.make_tensor_value_info("picked", TensorProto.INT64, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (picked,) = session.run(
        None,
        {
            "boxes": boxes[None, :, [1, 0, 3, 2]],
            "scores": shares.T[None].copy(),
            "most": np.array([10000], np.int64),
            "iou": np.array([convention.iou], np.float32),
            "score": np.array([convention.score_threshold], np.float32),
        },
    )
    return [(int(slot), int(index)) for _, slot, index in picked]


@settings(max_examples=60)
@example(0, 0, "crop", 8, 153)
@given(
    st.integers(0, 10**6), st.sampled_from((0, 90, 180, 270)), st.sampled_from(("stretch", "letterbox", "crop")),
    st.integers(8, 500), st.integers(8, 500),
)  # fmt: skip
def test_a_thing_in_the_frame_is_found_where_it_is(seed: int, rotation: int, fit: str, width: int, height: int) -> None:
    """A box in the frame, seen by the network where the frame's pixels go, comes back within half a pixel."""
    # Of a narrow frame a centre crop shows so little that a thing may be larger than the convention's clamp lets be.
    frames = detector("torchvision", clip_first=False, clamp=None)
    assert isinstance(frames.answer, Boxes)
    frame = Frame.of(np.zeros((height, width, 3), np.uint8), rotation=rotation, fit=fit)
    rng = np.random.default_rng(seed)
    thing = np.concatenate([rng.uniform(0.05, 0.45, 2), rng.uniform(0.55, 0.95, 2)]) * np.array([width, height] * 2)
    seen = in_picture(thing, frame)
    priors = priors_of(frames)
    codes = codes_of(np.tile(seen, (len(priors), 1)), priors, frames.answer.convention)
    scores = np.full((1, len(priors), SLOTS), -20, np.float32)
    scores[..., 0] = 20
    scores[0, seed % len(priors), 3] = 30
    ((score, slot, box),) = native(frames).detect(codes, scores, frame)
    assert slot == 3 and score > 0.99
    np.testing.assert_allclose(box, thing, atol=0.5)


def in_picture(box: Array, frame: Frame) -> Array:
    """A box of the stored frame, relative to the network's picture: corners turned, then as the fit says."""
    corners = np.array([[box[0], box[1]], [box[2], box[3]]])
    height, width = frame.height, frame.width
    for _ in range(frame.rotation // 90):  # a quarter clockwise: what was at the left is at the top
        corners = np.stack([height - corners[:, 1], corners[:, 0]], -1)
        height, width = width, height
    (x, y, columns, rows), part = reference.region(PICTURE, height, width, frame.fit)
    places = (corners - part[:2]) * np.array([columns, rows]) / (part[2:] - part[:2]) + np.array([x, y])
    places /= np.array([PICTURE.width, PICTURE.height])
    return np.concatenate([places.min(0), places.max(0)])


def test_equal_scores_come_by_class_and_then_by_prior_box() -> None:
    frames = detector("tf_object_detection", iou=2.0)
    count = len(priors_of(frames))
    codes, scores = np.zeros((1, count, 4), np.float32), np.zeros((1, count, SLOTS), np.float32)
    frame = Frame.of(np.zeros((96, 160, 3), np.uint8))
    found = native(frames).detect(codes, scores, frame)
    assert_same(found, detections(codes, scores, frames), frame)
    assert [each[1] for each in found] == sorted(each[1] for each in found)


def test_limits_of_the_caller() -> None:
    frames = detector("tf_object_detection")
    rng = np.random.default_rng(3)
    count = len(priors_of(frames))
    codes = rng.normal(0, 1, (1, count, 4)).astype(np.float32)
    scores = rng.normal(0, 2, (1, count, SLOTS)).astype(np.float32)
    frame = Frame.of(np.zeros((96, 160, 3), np.uint8))
    wanted = detector("tf_object_detection", score_threshold=0.7, iou=0.2)
    found = native(frames).detect(codes, scores, frame, limits=(0.7, 0.2))
    assert found and min(each[0] for each in found) > 0.7
    assert_same(found, detections(codes, scores, wanted), frame)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_outputs_that_are_no_numbers_do_no_harm(name: str, value: float) -> None:
    frames = detector(name)
    count = len(priors_of(frames))
    rng = np.random.default_rng(4)
    codes = rng.normal(0, 1, (1, count, 4)).astype(np.float32)
    scores = rng.normal(0, 1, (1, count, SLOTS)).astype(np.float32)
    codes[0, ::2], scores[0, ::3] = value, value
    frame = Frame.of(np.zeros((50, 60, 3), np.uint8))
    for score, slot, box in native(frames).detect(codes, scores, frame):
        assert 0 <= score <= 1 and 0 < slot < SLOTS
        assert 0 <= box[0] <= box[2] <= 60 and 0 <= box[1] <= box[3] <= 50


def test_a_workspace_that_is_not_enough_is_refused() -> None:
    frames = detector("qfgaohao")
    library, frame = native(frames), to_c(Frame.of(np.zeros((5, 6, 3), np.uint8)))
    memory, count = aligned(1 << 16), ctypes.c_uint()
    tensor = np.zeros((1, 500, 5), np.float32)
    for place, size in ((None, 1 << 16), (memory, 100), (memory[4:], 1 << 15)):
        status = library.call(
            "detect", pointer(tensor), pointer(tensor), ctypes.byref(frame), None, pointer(place),
            ctypes.c_size_t(size), pointer(tensor), ctypes.c_uint(1), ctypes.byref(count),
        )  # fmt: skip
        assert status == E_WORKSPACE
