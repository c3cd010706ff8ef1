"""Folders of scenes: what is read back is what was drawn, and nothing half-written is left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnv2c.cli.main import main
from mnv2c.errors import OutputError, UserError
from mnv2c.learning.evaluation import Objects
from mnv2c.learning.evaluation.open import open_data
from mnv2c.learning.scenes import LABELS, Scenes
from mnv2c.learning.scenes.folders import palette, run_lengths, write_folder

COUNT = 11  # one class comes twice
READ_AS = [("imagenet", "classifier"), ("coco", "detector"), ("voc", "segmenter"), ("voc", "detector")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("folders")
    for layout in ("imagenet", "coco", "voc"):
        write_folder(root / layout, layout, 3, COUNT)
    return root


def drawn(layout: str) -> list:
    """The scenes in the order in which the layout's pictures are read."""
    kind = {"imagenet": "classifier", "coco": "detector", "voc": "segmenter"}[layout]
    scenes = list(Scenes.pictures(kind, 3, COUNT))
    return sorted(scenes, key=lambda scene: int(scene.classes[0])) if layout == "imagenet" else scenes


@pytest.mark.parametrize(("layout", "task"), READ_AS)
def test_round_trip(folders: Path, layout: str, task: str) -> None:
    data = open_data(str(folders / layout), task)
    assert data.task == task
    assert data.labels == (("background", *LABELS) if task == "segmenter" else LABELS)
    assert len(data) == COUNT
    for index, scene in enumerate(drawn(layout)):
        sample = data[index]
        np.testing.assert_array_equal(sample.image, scene.image)
        if task == "classifier":
            assert sample.truth == scene.classes[0]
        elif task == "segmenter":
            np.testing.assert_array_equal(sample.truth, scene.mask)
        else:
            assert isinstance(sample.truth, Objects)
            np.testing.assert_array_equal(sample.truth.boxes, scene.boxes)
            np.testing.assert_array_equal(sample.truth.classes, scene.classes)
            assert not sample.truth.ignored.any()


def test_run_lengths_are_coco_s(folders: Path) -> None:
    mask_tools = pytest.importorskip("pycocotools.mask")
    content = json.loads((folders / "coco" / "annotations" / "instances_val.json").read_text())
    scenes = drawn("coco")
    numbers = dict.fromkeys(range(COUNT), 0)
    for entry in content["annotations"]:
        image = entry["image_id"]
        numbers[image] += 1
        coded = entry["segmentation"]
        seen = mask_tools.decode(mask_tools.frPyObjects(coded, *coded["size"]))
        np.testing.assert_array_equal(seen.astype(bool), scenes[image].instances == numbers[image])
        assert entry["area"] == seen.sum()


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [
        ([[0, 0], [0, 0]], [4]),
        ([[1, 1], [1, 1]], [0, 4]),
        ([[0, 1], [1, 1]], [1, 3]),
        ([[1, 0], [0, 1]], [0, 1, 2, 1]),
    ],
)
def test_run_lengths_of_small_masks(rows: list[list[int]], lengths: list[int]) -> None:
    assert run_lengths(np.array(rows, np.bool_)) == lengths


def test_masks_are_readable_by_people(folders: Path) -> None:
    assert palette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    with Image.open(folders / "voc" / "SegmentationClass" / "000000.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:6] == [0, 0, 0, 128, 0, 0]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnv2c.learning.scenes import folders as module

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "new", "coco", 1, 2, lambda phase, share: stop(share))
    assert list(tmp_path.iterdir()) == []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_save", full)
    with pytest.raises(OutputError, match="No space left"):
        write_folder(tmp_path / "new", "voc", 1, 2)
    assert list(tmp_path.iterdir()) == []


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='layout "voc2": choose from imagenet, coco, voc'):
        write_folder(tmp_path / "x", "voc2", 1, 1)
    with pytest.raises(OutputError, match="is there already"):
        write_folder(tmp_path, "voc", 1, 1)
    with pytest.raises(OutputError, match="cannot be written"):
        write_folder(tmp_path / "missing" / "x", "voc", 1, 1)
    with pytest.raises(UserError, match="may be negative"):
        write_folder(tmp_path / "x", "voc", 1, -1)
    assert list(tmp_path.iterdir()) == []


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenes", "imagenet", "-o", str(tmp_path / "new"), "--count", "2", "--seed", "4", "-q"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new'}\n"
    assert len(list((tmp_path / "new" / "val").glob("*/*.png"))) == 2
    assert main(["scenes", "imagenet", "-o", str(tmp_path / "new"), "--count", "2"]) == 2
    assert main(["scenes", "imagenet", "-o", str(tmp_path / "none"), "--count", "0"]) == 2
    assert not (tmp_path / "none").exists()
