"""Data that is missing, damaged or of other classes: one clear line. And whose class is whose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnv2c.errors import UserError
from mnv2c.learning.evaluation.data import Data, slots
from mnv2c.learning.evaluation.open import open_data
from mnv2c.learning.scenes import LABELS


def picture(path: Path, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (8, 6)).save(path)


def coco(folder: Path, **changes: object) -> None:
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 6, "width": 8}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 1},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 8, 6]},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
    }
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(content | changes))
    (folder / "annotations" / "instances_train2017.json").write_text("{}")
    picture(folder / "val2017" / "a.png")


def voc(folder: Path, boxes: str = "<bndbox><xmin>2</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox>") -> None:
    entry = f"<object><name>dog</name><difficult>1</difficult>{boxes}</object>"
    root = folder / "VOCdevkit" / "VOC2012"
    picture(root / "JPEGImages" / "a.jpg")
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{entry}</annotation>")
    picture(root / "SegmentationClass" / "a.png", "P")
    for name in ("Main", "Segmentation"):
        (root / "ImageSets" / name).mkdir(parents=True)
        (root / "ImageSets" / name / "val.txt").write_text("a\n")


def test_coco(tmp_path: Path) -> None:
    coco(tmp_path)
    data = open_data(str(tmp_path), "detector")
    assert (data.labels, data.numbers, len(data)) == (("dog", "cat"), (1, 3), 1)
    truth = data[0].truth
    assert truth.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 8, 6]]
    assert truth.classes.tolist() == [1, 0]
    assert truth.crowd.tolist() == truth.ignored.tolist() == [True, False]
    assert data[0].image.shape == (6, 8, 3)


def test_voc(tmp_path: Path) -> None:
    voc(tmp_path)
    data = open_data(str(tmp_path), "detector")
    truth = data[0].truth
    assert truth.boxes.tolist() == [[1, 0, 8, 6]]
    assert data.labels[truth.classes[0]] == "dog"
    assert data.numbers[truth.classes[0]] == 12
    assert truth.ignored.tolist() == [True]
    masks = open_data(str(tmp_path), "segmenter")
    assert masks.labels[12] == "dog"
    assert masks[0].truth.shape == (6, 8)


def test_imagenet_with_a_list(tmp_path: Path) -> None:
    for name in ("b.JPEG", "a.JPEG"):
        picture(tmp_path / "val" / name)
    (tmp_path / "val.txt").write_text("b.JPEG 2\na.JPEG 0\n")
    data = open_data(str(tmp_path), "classifier")
    assert [data[index].truth for index in range(2)] == [2, 0]
    assert len(data.labels) == 3
    (tmp_path / "labels.txt").write_text("x\ny\n")
    with pytest.raises(UserError, match="names 2 classes, but there are 3"):
        open_data(str(tmp_path), "classifier")
    for number in ("99999999999", "-1", "²", "1.0"):
        (tmp_path / "val.txt").write_text(f"b.JPEG {number}\n")
        with pytest.raises(UserError, match='must be "PICTURE CLASS", a class below 100000'):
            open_data(str(tmp_path), "classifier")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "has no list of images"),
        ({"images": [{"id": "x", "file_name": "a"}]}, "one of the images lacks id or file_name"),
        ({"annotations": [{"image_id": 8, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, "that is not there"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 1]}]}, "is not four numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, "1"]}]}, "is not four numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, None, 1, 1]}]}, "is not four numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 10**400, 1, 1]}]}, "is not four numbers"),
    ],
)
def test_damaged_annotations(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    coco(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as error:
        open_data(str(tmp_path), "detector")
    assert "\n" not in str(error.value)


def test_annotations_that_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UserError, match=r"no annotations/instances_\*\.json"):
        open_data(str(tmp_path), "detector")
    (tmp_path / "annotations" / "instances_val.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        open_data(str(tmp_path), "detector")


NAN = "<bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox>"


@pytest.mark.parametrize("boxes", ["", NAN, "<bndbox><xmin>x</xmin></bndbox>", "<", "<bndbox><xmin>1</xmin></bndbox>"])
def test_damaged_xml(tmp_path: Path, boxes: str) -> None:
    voc(tmp_path, boxes)
    with pytest.raises(UserError, match=r"a\.xml: not an annotation of VOC"):
        open_data(str(tmp_path), "detector")[0]


def test_other_mistakes(tmp_path: Path) -> None:
    cases = [
        ("absent", "classifier", "no such folder; for generated scenes write shapes"),
        ("shapes:x", "classifier", "write shapes, shapes:SEED or shapes:SEED:COUNT"),
        ("shapes:1:0", "classifier", "no scenes to measure"),
        (str(tmp_path), "classifier", "no folder per class"),
        (str(tmp_path), "detector", "no folder per class"),
    ]
    for text, task, message in cases:
        with pytest.raises(UserError, match=message):
            open_data(text, task)
    voc(tmp_path)
    with pytest.raises(UserError, match="no classes of whole pictures"):
        open_data(str(tmp_path), "classifier")
    root = tmp_path / "VOCdevkit" / "VOC2012"
    picture(root / "SegmentationClass" / "a.png")
    with pytest.raises(UserError, match="RGB pixels; a mask has the class's number per pixel"):
        open_data(str(tmp_path), "segmenter")[0]
    Image.new("L", (8, 6), 77).save(root / "SegmentationClass" / "a.png")
    with pytest.raises(UserError, match=r"a\.png: has class 77, but there are only 21 classes"):
        open_data(str(tmp_path), "segmenter")[0]
    (root / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(UserError, match="no such picture"):
        open_data(str(tmp_path), "segmenter")[0]
    picture(tmp_path / "classes" / "one" / "a.png")
    with pytest.raises(UserError, match="has the truth for a classifier, but the library is a detector"):
        open_data(str(tmp_path / "classes"), "detector")


class Fake(Data):
    def __init__(self, task: str, labels: tuple[str, ...], numbers: tuple[int, ...]) -> None:
        self.task, self.title, self.labels, self.numbers = task, "data", labels, numbers

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> object:
        raise IndexError


THREE = ("a", "b", "c")


@pytest.mark.parametrize(
    ("task", "labels", "numbers", "own", "classes", "offset", "wanted"),
    [
        ("classifier", THREE, (0, 1, 2), (), 3, 0, (0, 1, 2)),
        ("classifier", THREE, (0, 1, 2), (), 4, 1, (1, 2, 3)),
        ("classifier", THREE, (0, 1, 2), ("c", "b", "a", "d"), 4, 0, (2, 1, 0)),
        ("detector", THREE, (1, 2, 3), (), 4, 0, (1, 2, 3)),
        ("detector", THREE, (1, 5, 9), (), 10, 0, (1, 5, 9)),  # COCO's own numbers among 91 slots
        ("detector", THREE, (1, 5, 9), (), 4, 0, (1, 2, 3)),  # the same without gaps
        ("detector", THREE, (1, 5, 9), (), 3, 0, (0, 1, 2)),  # and without a background
        ("detector", THREE, (1, 2, 3), ("background", "b", "a", "c"), 4, 0, (2, 1, 3)),
        ("segmenter", ("background", "a"), (0, 1), (), 2, 0, (0, 1)),
    ],
)
def test_whose_class_is_whose(task, labels, numbers, own, classes, offset, wanted) -> None:
    assert slots(Fake(task, labels, numbers), own, classes, offset) == wanted


@pytest.mark.parametrize(
    ("task", "own", "classes", "message"),
    [
        ("classifier", (), 4, "has 3 classes, but the network has 4"),
        ("detector", (), 2, "has 3 classes, but the network has 2"),
        ("segmenter", (), 4, "has 3 classes, but the network has 4"),
        ("classifier", ("a", "b", "x"), 3, 'has the class "c", which the network does not have'),
    ],
)
def test_classes_that_cannot_be_the_same(task: str, own: tuple[str, ...], classes: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        slots(Fake(task, THREE, (0, 1, 2)), own, classes)


def test_generated_scenes() -> None:
    data = open_data("shapes:5:3", "detector")
    assert (len(data), data.labels, data.numbers) == (3, LABELS, tuple(range(1, 11)))
    assert open_data("shapes", "segmenter").labels == ("background", *LABELS)
    assert len(open_data("shapes", "classifier")) == 500
    again = open_data("shapes:5", "detector")
    np.testing.assert_array_equal(data[2].image, again[2].image)
