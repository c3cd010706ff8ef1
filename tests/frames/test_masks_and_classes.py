"""Masks in the size of the frame, the best classes, labels, and frame in, answer out."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnv2c.frames import Boxes, Classes, Frames, Mask, Picture, Scores
from mnv2c.runtime.frame import FITS, CClass, CDetection, Frame, to_c
from mnv2c.spec.priors import CONVENTIONS
from tests.frames import reference
from tests.frames.native import E_WORKSPACE, OK, aligned, native, pointer

MASKED = Frames(Picture(40, 56, fit="letterbox"), Mask(21))
CLASSIFIED = Frames(Picture(20, 24), Classes(50), ("background", 'a "cat"?', "Käse \\ \n"))
sides = st.integers(1, 300)


@settings(max_examples=80)
@given(st.integers(0, 99), sides, sides, st.sampled_from((0, 90, 180, 270)), st.sampled_from(FITS), st.integers(0, 5))
@example(0, 9, 144, 90, "trained", 0)  # 3.5 rows of the picture, which the quotient of quotients rounds below
def test_a_mask_in_the_size_of_the_frame(
    seed: int, width: int, height: int, rotation: int, fit: str, padding: int
) -> None:
    assert MASKED.picture is not None
    mask = np.random.default_rng(seed).integers(0, 21, (40, 56), dtype=np.uint8)
    frame = Frame.of(np.zeros((height, width, 3), np.uint8), rotation=rotation, fit=fit)
    found = native(MASKED).frame_mask(mask, frame, width + padding)
    # Where the centre of a pixel falls between two of the mask, rounding decides.
    nudges = [(x, y) for x in (-1e-9, 1e-9) for y in (-1e-9, 1e-9)]
    wanted = [reference.frame_mask(MASKED.picture, mask, frame, nudge) for nudge in nudges]
    assert np.logical_or.reduce([found == each for each in wanted]).all()


@given(st.integers(0, 999), st.integers(0, 60))
def test_the_best_classes(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, 50).astype(np.float32).round(1)  # with ties
    powers = np.exp(logits.astype(np.float64) - logits.max())
    order = np.argsort(-logits, kind="stable")[:most]
    found = native(CLASSIFIED).top(logits, most)
    assert [each[0] for each in found] == list(order)
    np.testing.assert_allclose([each[1] for each in found], (powers / powers.sum())[order], rtol=2e-6)
    plain = native(Frames(CLASSIFIED.picture, Classes(50, Scores.PROBABILITIES))).top(logits, most)
    np.testing.assert_array_equal([each[1] for each in plain], logits[order])


@pytest.mark.parametrize(
    "logits",
    [
        [1000, 1001, -5],
        [-1000, 1000, 0, 999],
        [-1000, -1001, -999],
        [-1000, -1000, -1000],
        [3e38, -3e38, 2.9e38],
        [1e30],
    ],
)
def test_probabilities_of_extreme_logits(logits: list[float]) -> None:
    values = np.array(logits, np.float32)
    found = native(Frames(CLASSIFIED.picture, Classes(len(logits)))).top(values, len(logits))
    assert [each[0] for each in found] == list(np.argsort(-values, kind="stable"))
    scores = np.array([each[1] for each in found])
    assert np.isfinite(scores).all() and (scores >= 0).all() and (np.diff(scores) <= 0).all()
    assert scores.sum() == pytest.approx(1, abs=1e-6)
    powers = np.exp(np.sort(values.astype(np.float64))[::-1] - values.max())
    np.testing.assert_allclose(scores, powers / powers.sum(), rtol=2e-6, atol=1e-30)


def test_labels() -> None:
    label = native(CLASSIFIED).functions.fr_label
    label.restype = ctypes.c_char_p
    assert [label(index) for index in range(3)] == [text.encode() for text in CLASSIFIED.labels]
    assert [label(index) for index in (3, 50, 2**32 - 1)] == [None] * 3


def test_frame_in_classes_out() -> None:
    library = native(CLASSIFIED)
    logits = np.random.default_rng(0).normal(0, 4, 50).astype(np.float32)
    library.give(logits)
    size = library.functions.fr_frame_bytes()
    memory, best, count = aligned(size), (CClass * 3)(), ctypes.c_uint()
    frame = reference.random_frame(1, "NV12", 33, 21, rotation=90)
    arguments = (pointer(memory), ctypes.c_size_t(size), best, ctypes.c_uint(3), ctypes.byref(count))
    assert library.call("run_frame", None, ctypes.byref(to_c(frame)), *arguments) == OK
    assert [(each.class_id, each.score) for each in best] == library.top(logits, 3)
    seen = memory[: 20 * 24 * 3 * 4].view(np.float32).reshape(1, 20, 24, 3)
    np.testing.assert_array_equal(seen, library.load(frame))
    for place, given_size in ((None, size), (memory, size - 1), (memory[4:], size)):
        status = library.call(
            "run_frame", None, ctypes.byref(to_c(frame)), pointer(place), ctypes.c_size_t(given_size), *arguments[2:]
        )
        assert status == E_WORKSPACE


@pytest.mark.parametrize("first", [0, 1])
def test_frame_in_detections_out(first: int) -> None:
    maps = ((3, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))
    library = native(Frames(Picture(96, 160, fit="letterbox"), Boxes(CONVENTIONS["torchvision"], maps, 5, first)))
    rng = np.random.default_rng(2)
    count = Boxes(CONVENTIONS["torchvision"], maps, 5).priors
    codes = rng.normal(0, 2, (1, count, 4)).astype(np.float32)
    scores = rng.normal(0, 2, (1, count, 5)).astype(np.float32)
    library.give(*((codes, scores) if first == 0 else (scores, codes)))
    size = library.functions.fr_frame_bytes()
    memory, found, number = aligned(size), (CDetection * 300)(), ctypes.c_uint()
    frame = Frame.of(rng.integers(0, 256, (70, 50, 3), dtype=np.uint8), rotation=270)
    status = library.call(
        "run_frame", None, ctypes.byref(to_c(frame)), None, pointer(memory), ctypes.c_size_t(size), found,
        ctypes.c_uint(300), ctypes.byref(number),
    )  # fmt: skip
    assert status == OK and number.value > 10
    wanted = library.detect(codes, scores, frame)
    assert [(each.score, each.class_id) for each in found[: number.value]] == [each[:2] for each in wanted]


def test_frame_in_mask_out() -> None:
    library = native(MASKED)
    mask = np.random.default_rng(3).integers(0, 21, (40, 56), dtype=np.uint8)
    library.give(mask)
    size = library.functions.fr_frame_bytes()
    memory, found = aligned(size), np.zeros((33, 47), np.uint8)
    frame = Frame.of(np.zeros((33, 47, 3), np.uint8))
    status = library.call(
        "run_frame", None, ctypes.byref(to_c(frame)), pointer(memory), ctypes.c_size_t(size), pointer(found),
        ctypes.c_size_t(47),
    )  # fmt: skip
    assert status == OK
    np.testing.assert_array_equal(found, library.frame_mask(mask, frame))


@pytest.mark.parametrize("scores", list(Scores))
def test_nan_is_no_score(scores: Scores) -> None:
    """NaN ranks last and stays NaN; no probabilities follow from logits among which is one, or an infinite largest."""
    values = np.array([0.25, np.nan, -np.inf, 0.5, np.nan], np.float32)
    found = native(Frames(CLASSIFIED.picture, Classes(5, scores))).top(values, 5)
    assert [each[0] for each in found] == [3, 0, 2, 1, 4]
    given = [score for _, score in found]
    if scores is Scores.LOGITS:
        assert np.isnan(given).all()
        largest = native(Frames(CLASSIFIED.picture, Classes(2, scores))).top(np.array([1, np.inf], np.float32), 2)
        assert [each[0] for each in largest] == [1, 0] and np.isnan([each[1] for each in largest]).all()
        return
    wanted = {Scores.LOGIT: lambda x: 1 / (1 + np.exp(-x)), Scores.LOG_PROBABILITIES: np.exp}
    right = wanted.get(scores, lambda x: x)(np.array([0.5, 0.25, -np.inf], np.float64))
    np.testing.assert_allclose(given[:3], right, rtol=2e-6, atol=1e-30)
    assert np.isnan(given[3:]).all()


def test_boxes_without_a_place_or_a_score_are_no_detections() -> None:
    maps = ((3, 5), (2, 3), (1, 2), (1, 1), (1, 1), (1, 1))
    for convention in ("torchvision", "tf_object_detection"):
        library = native(Frames(Picture(96, 160, fit="stretch"), Boxes(CONVENTIONS[convention], maps, 5)))
        count = Boxes(CONVENTIONS[convention], maps, 5).priors
        rng = np.random.default_rng(4)
        codes = rng.normal(0, 1, (1, count, 4)).astype(np.float32)
        scores = rng.normal(0, 2, (1, count, 5)).astype(np.float32)
        frame = Frame.of(np.zeros((50, 70, 3), np.uint8))
        spoilt_codes, spoilt_scores = codes.copy(), scores.copy()
        bad = rng.permutation(count)
        spoilt_codes[0, bad[::3], rng.integers(0, 4)] = rng.choice([np.nan, np.inf, -np.inf], len(bad[::3]))
        spoilt_scores[0, bad[1::3]] = np.nan
        kept = np.delete(np.arange(count), np.concatenate([bad[::3], bad[1::3]]))
        without = np.full_like(scores, -1e4)
        without[..., 0] = 1e4
        without[0, kept] = scores[0, kept]
        found = library.detect(spoilt_codes, spoilt_scores, frame, limits=(0.1, 0.5))
        wanted = library.detect(codes, without, frame, limits=(0.1, 0.5))
        wanted = [each for each in wanted if each[0] < 0.99999] if convention != "torchvision" else wanted
        found = [each for each in found if each[0] < 0.99999] if convention != "torchvision" else found
        assert found == wanted and found
        assert np.isfinite([[score, *box] for score, _, box in found]).all()
