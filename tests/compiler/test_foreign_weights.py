"""A checkpoint with another package's names, from the command line to the answer about a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnv2c
from mnv2c.cli.main import main
from mnv2c.compiler import Compiled
from mnv2c.errors import UserError
from mnv2c.spec import describe, from_toml, load
from mnv2c.weights import SOURCES, random_weights, write
from mnv2c.weights.source import names
from tests.sharing import once

SMALLEST = {"width": 0.35, "resolution": 32}
OPTIONS = ["--width", "0.35", "--resolution", "32"]


def checkpoint(path: Path, source: str, classes: int) -> Path:
    spec = load("mobilenet_v2", classes=classes, **SMALLEST)
    called, tensors = names(SOURCES[source], spec), random_weights(spec, 1)
    write(path, {called[name]: tensor for name, tensor in tensors.items()})
    return path


@pytest.fixture(scope="module")
def from_hf(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    def make(folder: Path) -> Compiled:
        weights = checkpoint(folder / "w.safetensors", "hf", 1001)
        return mnv2c.compile("mobilenet_v2", output=folder / "out", weights=weights, **SMALLEST)

    return once(tmp_path_factory, "from_hf", make)


def test_the_metadata_says_what_the_weights_need(from_hf: Compiled) -> None:
    metadata = json.loads((from_hf.directory / f"{from_hf.name}.json").read_text())
    assert metadata["inputs"][0]["preprocessing"] == {
        "crop": 0.875, "interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5]
    }  # fmt: skip
    assert metadata["model"]["class_offset"] == 1
    assert metadata["model"]["licence"] == SOURCES["hf"].licence
    assert metadata["weights_source"].startswith(
        "w.safetensors (Hugging Face MobileNetV2ForImageClassification), sha256"
    )
    spec = from_toml(metadata["model"]["toml"])
    assert (spec.padding, spec.bn_epsilon, spec.classes) == ("tf_same", 1e-3, 1001)
    assert metadata["outputs"][0]["shape"] == [1, 1001]
    assert metadata["fallbacks"] == []


def test_it_verifies(from_hf: Compiled) -> None:
    assert mnv2c.verify(from_hf.directory).passed


def test_labels_begin_behind_the_background(from_hf: Compiled, tmp_path: Path) -> None:
    picture, labels = tmp_path / "picture.png", tmp_path / "labels.txt"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(picture)
    for listed, offset in ((1000, 1), (1001, 0)):
        labels.write_text("".join(f"label {index}\n" for index in range(listed)))
        (answer,) = mnv2c.run(from_hf.directory, [picture], labels=labels)
        assert [entry.label for entry in answer.best] == [f"label {entry.class_id - offset}" for entry in answer.best]


def test_a_library_of_random_weights_has_no_preprocessing(compiled: Compiled) -> None:
    assert "preprocessing" not in compiled.metadata["inputs"][0]
    assert compiled.metadata["model"].keys() == {"kind", "toml"}


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(checkpoint(tmp_path / "w.safetensors", "torchvision", 10))
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    assert main(["export", "mobilenet_v2", *OPTIONS, "--weights", weights, "-o", str(one)]) == 0
    forced = ["--weights-source", "torchvision_v1"]
    assert main(["export", "mobilenet_v2", *OPTIONS, "--weights", weights, *forced, "-o", str(other)]) == 0
    assert one.read_bytes() == other.read_bytes()
    capsys.readouterr()
    for wrong, message in (
        (["--weights", weights, "--weights-source", "timm"], 'names are like "conv_stem.weight"'),
        (["--weights", weights, "--classes", "11"], "11 classes"),
        (["--weights-source", "timm"], "no weights file"),
    ):
        assert main(["export", "mobilenet_v2", *OPTIONS, *wrong, "-o", str(tmp_path / "no.onnx")]) == 2
        printed = capsys.readouterr().err
        assert message in printed and len(printed.splitlines()) == 1
    assert not (tmp_path / "no.onnx").exists()


def test_an_onnx_file_has_no_weights_source(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has its own weights-source; leave --weights-source out"):
        mnv2c.compile(tmp_path / "m.onnx", output=tmp_path / "out", weights_source="timm")


def test_the_zoo_s_default_leaves_conventions_to_the_weights() -> None:
    assert not describe("mobilenet_v2").stated & {"padding", "bn_epsilon", "classes"}
