"""Scenes: boxes and masks are exactly what was painted, equal seeds give equal scenes, classes come equally often."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.errors import UserError
from mnv2c.learning.scenes import LABELS, SETTINGS, SHAPE_CLASSES, Scene, Scenes, Setting, draw
from mnv2c.learning.scenes.draw import FEWEST, VISIBLE

SMALL = {"height": 60, "image_width": 80}
HARD = {"noise": (0.0, 0.0), "softness": (1e-3, 1e-3), "clutter": (0, 0)}


def grown(seen: np.ndarray) -> np.ndarray:
    """The pixels and their neighbours in four directions."""
    padded = np.pad(seen, 1)
    return padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def check_consistency(scene: Scene, setting: Setting) -> None:
    count = len(scene.classes)
    assert scene.image.shape == (setting.height, setting.image_width, 3)
    assert (scene.image.dtype, scene.instances.dtype, scene.boxes.dtype) == (np.uint8, np.uint8, np.float32)
    assert scene.boxes.shape == (count, 4)
    assert 1 <= count <= setting.objects[1]
    assert set(np.unique(scene.instances)) - {0} == set(range(1, count + 1))
    for index, (left, top, right, bottom) in enumerate(scene.boxes.astype(int)):
        seen = scene.instances == index + 1
        assert seen.sum() >= FEWEST or count == 1
        outside = seen.copy()
        outside[top:bottom, left:right] = False
        assert not outside.any()
        box = seen[top:bottom, left:right]
        assert box[0].any() and box[-1].any() and box[:, 0].any() and box[:, -1].any()
    np.testing.assert_array_equal(scene.mask == 0, scene.instances == 0)
    for index, class_ in enumerate(scene.classes):
        assert (scene.mask[scene.instances == index + 1] == class_ + 1).all()


@settings(max_examples=60)
@given(
    st.integers(0, 2**32), st.sampled_from(sorted(SETTINGS)), st.integers(40, 120), st.integers(40, 120), st.booleans()
)
def test_boxes_masks_and_classes_agree(seed: int, task: str, height: int, width: int, stretched: bool) -> None:
    aspect = (0.7, 1.4) if stretched else None
    setting = replace(SETTINGS[task], height=height, image_width=width, aspect=aspect)
    check_consistency(draw(np.random.default_rng(seed), setting), setting)


@pytest.mark.parametrize("index", range(20))
def test_the_mask_is_what_was_painted(index: int) -> None:
    """Without noise and blur a plain object has one colour, and none of its neighbours has it."""
    setting = replace(SETTINGS["detector"], **SMALL, **HARD)
    scene = Scenes(setting, 5, 20)[index]
    for number, class_ in enumerate(scene.classes, start=1):
        if SHAPE_CLASSES[class_].texture != "plain":
            continue
        seen = scene.instances == number
        colours, counts = np.unique(scene.image[seen], axis=0, return_counts=True)
        assert counts.max() >= len(scene.image[seen]) - 2  # an outline may run exactly through a pixel's centre
        around = grown(seen) & ~seen & (scene.instances == 0)
        assert not (scene.image[around] == colours[counts.argmax()]).all(1).any()


@pytest.mark.parametrize("shape", ["disc", "square"])
def test_areas_are_those_of_the_shapes(shape: str) -> None:
    from mnv2c.learning.scenes.draw import _Item, _patch

    item = _Item(0, shape, "plain", (1.0, 0.0, 0.0), 0.5, 0.5, 0.3, 0.2, 0.4)
    patch = _patch(item, Setting("detector", 400, 400), 1.0, 1.0)
    area = {"disc": np.pi * 0.3 * 0.2, "square": 4 * 0.78**2 * 0.3 * 0.2}[shape]
    assert patch.inside.sum() / 400**2 == pytest.approx(area, rel=0.01)
    assert patch.coverage.sum() / 400**2 == pytest.approx(area, rel=0.01)


def test_hidden_objects_are_left_out() -> None:
    """Of every object that is listed, most of what lies in the picture can be seen."""
    setting = replace(SETTINGS["detector"], **SMALL, **HARD, objects=(6, 6), size=(0.2, 0.3))
    for scene in Scenes(setting, 1, 30):
        for number in range(1, len(scene.classes) + 1):
            left, top, right, bottom = scene.boxes[number - 1]
            share = (scene.instances == number).sum() / ((right - left) * (bottom - top))
            assert share > VISIBLE * 0.3  # a cross or a ring fills about half of its box


def test_equal_seeds_give_equal_scenes_in_any_order() -> None:
    scenes = Scenes(replace(SETTINGS["detector"], **SMALL), 3, 6)
    backwards = [scenes[index] for index in reversed(range(6))][::-1]
    for one, other in zip(scenes, backwards, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.instances, other.instances)
        np.testing.assert_array_equal(one.boxes, other.boxes)
    other = replace(scenes, seed=4)
    assert (other[0].image != scenes[0].image).any()
    assert (scenes[1].image != scenes[0].image).any()


def test_every_class_comes_first_equally_often() -> None:
    scenes = Scenes(replace(SETTINGS["classifier"], height=32, image_width=32), 7, 10 * len(LABELS))
    first = [scenes.first_class(index) for index in range(len(scenes))]
    assert np.bincount(first).tolist() == [10] * len(LABELS)
    assert first[: len(LABELS)] != first[len(LABELS) : 2 * len(LABELS)]
    for index in range(0, len(scenes), 7):
        assert scenes[index].classes.tolist() == [first[index]]


def test_other_objects_are_balanced_too() -> None:
    scenes = Scenes(replace(SETTINGS["detector"], height=48, image_width=48, objects=(5, 5)), 7, 150)
    counts = np.bincount(np.concatenate([scene.classes for scene in scenes]), minlength=len(LABELS))
    assert counts.min() > 0.6 * counts.mean()


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("red square", "blue square", "colour"),
        ("red disc", "red square", "shape"),
        ("yellow disc", "striped disc", "texture"),
    ],
)
def test_one_property_alone_tells_classes_apart(one: str, other: str, differ: str) -> None:
    first, second = (SHAPE_CLASSES[LABELS.index(label)]._asdict() for label in (one, other))
    assert {key for key in first if first[key] != second[key]} == {"label", differ}


def test_pictures_have_several_sizes() -> None:
    shapes = {scene.image.shape for scene in Scenes.pictures("segmenter", 1, 4)}
    assert len(shapes) == 4


def test_batches() -> None:
    scenes = Scenes(replace(SETTINGS["classifier"], height=32, image_width=32), 7, 8)
    images, some = scenes.batch(2, 3)
    assert images.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(images[1], scenes[3].image)
    assert len(some) == 3


def test_mistakes() -> None:
    with pytest.raises(UserError, match="neither may be negative"):
        Scenes(SETTINGS["detector"], -1, 5)
    with pytest.raises(UserError, match="8x256 pixels: 16 to 8192 each"):
        Setting("detector", height=8)
    with pytest.raises(IndexError, match="scene 5 of 5"):
        Scenes(SETTINGS["detector"], 1, 5)[5]
