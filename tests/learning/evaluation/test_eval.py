"""`mnv2c eval` on a library whose kernels are plain C, and every task on a network that is right on purpose."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mnv2c import api
from mnv2c.cli.main import main
from mnv2c.errors import UserError
from mnv2c.learning.evaluation.detection import Detections, Objects
from mnv2c.learning.evaluation.measure import measure
from mnv2c.learning.evaluation.network import Network
from mnv2c.learning.evaluation.open import open_data
from mnv2c.learning.scenes import LABELS
from mnv2c.pictures.image import Preprocessing
from tests.cli import toy

COLOURS = {"0_blue": (0, 0, 255), "1_green": (0, 255, 0), "2_red": (255, 0, 0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.compile_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class; the toy is right about blue and red, and takes green for red."""
    root = tmp_path_factory.mktemp("pictures")
    for name, colour in COLOURS.items():
        (root / name).mkdir()
        for number in range(2):
            Image.new("RGB", (20, 12), colour).save(root / name / f"{number}.png")
    return root


def test_a_compiled_library_is_measured(folder: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(folder), "--data", str(pictures), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    wanted = 0
    library = api.load(folder)
    for label, colour in enumerate(COLOURS.values()):
        tensor = np.broadcast_to(np.array(colour, np.float32) / 127.5 - 1, toy.SHAPE)
        wanted += 2 * (library(np.ascontiguousarray(tensor)).argmax() == label)
    assert figures["figures"] == {"top1": wanted / 6, "top5": 1.0}
    assert wanted == 4
    assert (figures["count"], figures["task"], figures["emulated"]) == (6, "classifier", False)
    assert main(["eval", str(folder), "--data", str(pictures), "--limit", "2", "-q"]) == 0
    assert "top-1" in capsys.readouterr().out


def test_progress_is_told(folder: Path, pictures: Path) -> None:
    told: list[tuple[str, float]] = []
    api.evaluate(folder, str(pictures), progress=lambda phase, share: told.append((phase, share)))
    assert [share for _, share in told] == [pytest.approx((index + 1) / 6) for index in range(6)]


def test_mistakes(folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="limit is 0"):
        api.evaluate(folder, str(pictures), limit=0)
    with pytest.raises(UserError, match="has 10 classes, but the network has 3"):
        api.evaluate(folder, "shapes:1:2")
    assert main(["eval", str(folder), "--data", str(tmp_path / "absent")]) == 2
    assert main(["eval", str(tmp_path), "--data", str(pictures)]) == 2
    assert capsys.readouterr().err.count("\n") == 2


class Oracle:
    """Answers what is true, in the network's numbers; ``spoil`` changes every answer."""

    def __init__(self, data, task: str, spoil=lambda answer: answer) -> None:
        self.task, self.preprocessing, self.offset, self.spoil = task, Preprocessing(), 0, spoil
        self.labels = LABELS if task == "classifier" else ("background", *LABELS)
        self.classes = len(self.labels)
        self.answers = iter([data[index].truth for index in range(len(data))])
        self.description, self.machine = SimpleNamespace(name="oracle"), SimpleNamespace(emulated=False)
        self.by = "library"

    def answer(self, image: np.ndarray) -> tuple[object, float]:
        truth = next(self.answers)
        if isinstance(truth, int):
            return self.spoil(np.eye(self.classes)[truth]), 1.0
        if isinstance(truth, Objects):
            scores = np.linspace(1, 0.5, len(truth.classes), dtype=np.float32)
            return self.spoil(Detections(truth.boxes, truth.classes + 1, scores)), 1.0
        return self.spoil(truth), 1.0


BEST = {"classifier": "top1", "detector": "map", "segmenter": "miou"}
SPOILT = {
    "classifier": lambda scores: np.roll(scores, 1),
    "detector": lambda found: replace(found, boxes=found.boxes + 16),
    "segmenter": lambda mask: np.roll(mask, 12, 1),
}


@pytest.mark.parametrize("task", BEST)
def test_what_is_right_scores_one_and_what_is_not_less(task: str) -> None:
    data = open_data("shapes:5:6", task)
    assert measure(Oracle(data, task), data).figures[BEST[task]] == 1.0
    assert measure(Oracle(data, task, SPOILT[task]), data).figures[BEST[task]] < 0.75


def test_raw_outputs_become_answers() -> None:
    """Without a library: a network's raw numbers, put into a picture of another size."""
    from mnv2c.learning.evaluation.boxes import prior_boxes
    from mnv2c.spec import layers, load
    from mnv2c.spec.detector import feature_maps
    from mnv2c.spec.priors import CONVENTIONS

    network = Network.__new__(Network)
    network.frames = None
    spec = load("ssdlite_mobilenet_v2", width=0.35, resolution=64, classes=4)
    network.spec, network.task, network.size = spec, "detector", (64, 64)
    network.preprocessing = Preprocessing(fit="stretch", crop=1.0)
    network.description = SimpleNamespace(outputs=[SimpleNamespace(name="boxes"), SimpleNamespace(name="scores")])
    priors = prior_boxes(CONVENTIONS[spec.boxes], feature_maps(layers(spec)), (64, 64))
    scores = np.full((1, len(priors), 4), -9.0, np.float32)
    scores[0, 20, 3] = 9
    found = network.interpret([np.zeros((1, len(priors), 4), np.float32), scores], (32, 128))
    cx, cy, w, h = priors[20]
    wanted = np.array([(cx - w / 2) * 128, (cy - h / 2) * 32, (cx + w / 2) * 128, (cy + h / 2) * 32])
    np.testing.assert_allclose(found.boxes[0], wanted.clip(0, [128, 32, 128, 32]), atol=1e-3)
    assert found.classes[0] == 3

    network.spec, network.task = load("deeplabv3_mobilenet_v2", width=0.35, resolution=64, classes=4), "segmenter"
    network.description = SimpleNamespace(outputs=[SimpleNamespace(name="logits")])
    logits = np.zeros((1, 4, 4, 4), np.float32)
    logits[:, :, :2, 1], logits[:, :, 2:, 2] = 1, 1
    mask = network.interpret([logits], (32, 128))
    assert mask.shape == (32, 128)
    assert (mask[:, :60] == 1).all() and (mask[:, 68:] == 2).all()
