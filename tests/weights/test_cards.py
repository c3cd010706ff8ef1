"""Weights that describe themselves: what they say reaches the library, and a wrong combination is one clear line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c.cli.main import main
from mnv2c.compiler.options import PlanOptions
from mnv2c.compiler.pictures import check_overrides, told
from mnv2c.compiler.source import read_source
from mnv2c.errors import UserError, WeightsError
from mnv2c.spec import describe, load, to_toml
from mnv2c.weights import Card, given_or_random, random_weights, write
from mnv2c.weights.card import KEY

SPEC = replace(load("shapes_classifier"), name="own", height=32, image_width=32, classes=3, padding="tf_same")
CARD = Card(
    task="classifier",
    spec=to_toml(SPEC),
    labels=("a", "b", "ü"),
    preprocessing={
        "channels": "rgb",
        "mean": [0.5, 0.4, 0.3],
        "deviation": [0.5, 0.5, 0.25],
        "fit": "stretch",
        "crop": 1.0,
        "interpolation": "bilinear",
    },
    recipe={"steps": 3},
    accuracy={"top1": 0.5},
    licence="free",
    seed=4,
)
WEIGHTS = {name: tensor.astype(np.float16) for name, tensor in random_weights(SPEC, 1).items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.safetensors"


def read(path: Path, model: str | Path, **options: Any) -> Any:
    return given_or_random(describe(model, **options), path, 0)


def own_model(folder: Path, text: str = "") -> Path:
    (folder / "own.toml").write_text(f'name = "mine"\n{text}')
    return folder / "own.toml"


def test_what_the_weights_say_is_what_is_compiled(path: Path, tmp_path: Path) -> None:
    """Nothing is stated, so width, resolution, classes and padding are the card's."""
    write(path, WEIGHTS, CARD.metadata())
    found = read(path, own_model(tmp_path))
    assert found.spec == replace(SPEC, name="mine")
    assert found.card == CARD
    assert found.preprocessing == CARD.preprocessing
    np.testing.assert_array_equal(found.tensors["stem.weight"], WEIGHTS["stem.weight"].astype(np.float32))


def test_it_reaches_the_library(path: Path, tmp_path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    source = read_source(PlanOptions(own_model(tmp_path), weights=path))
    assert source.preprocessing == CARD.preprocessing
    assert source.labels == ("a", "b", "ü")
    assert source.description["licence"] == "free"
    assert source.description["accuracy"] == {"top1": 0.5}
    json.dumps(source.description)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"mean": (0.5, 0.5, 0.5)},
            r"--mean: the weights were trained with \[0\.5, 0\.4, 0\.3\], not \(0\.5, 0\.5, 0\.5\)",
        ),
        ({"deviation": (1.0, 1.0, 1.0)}, r"--std: the weights were trained with .*; leave --std out"),
        ({"channels": "bgr"}, "--channels: the weights were trained with rgb, not bgr; leave --channels out"),
        ({"fit": "crop", "crop": 1.0}, "--fit: the weights were trained with stretch, not crop"),
    ],
)
def test_pictures_prepared_otherwise(given: dict[str, Any], message: str, path: Path, tmp_path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    source = read_source(PlanOptions(own_model(tmp_path), weights=path))
    with pytest.raises(UserError, match=message):
        told(source, (), given)
    same = told(source, (), {"mean": (0.5, 0.4, 0.3), "fit": "stretch"})
    assert same.labels == ("a", "b", "ü")
    assert told(source, ("x", "y", "z"), {}).labels == ("x", "y", "z")


def test_a_crop_keeps_the_share_that_is_known() -> None:
    """The command line has no option for it: it is the source's, or what the family usually has."""
    assert check_overrides({"fit": "crop"}) == {"fit": "crop"}
    with pytest.raises(UserError, match=r"--std .*: give three numbers"):
        check_overrides({"deviation": (-1.0, 1.0, 1.0)})


def test_the_resolution_may_differ(path: Path, tmp_path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    assert read(path, own_model(tmp_path), resolution=64).spec.resolution == "64x64"


def test_equal_cards_give_equal_bytes(path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    first = path.read_bytes()
    write(path, dict(reversed(WEIGHTS.items())), replace(CARD, recipe=dict(CARD.recipe)).metadata())
    assert path.read_bytes() == first


CONTRADICTIONS = {
    "width": ("width = 0.5\n", {}, "mine is described with width 0.5, but the weights were trained with 0.35 (own)"),
    "classes": ("", {"classes": 4}, "mine is described with classes 4, but the weights were trained with 3 (own)"),
    "padding": (
        'padding = "symmetric"\n',
        {},
        "mine is described with padding symmetric, but the weights were trained with tf_same (own)",
    ),
    "family": ('family = "detector"\n', {}, "mine is a detector, but the weights are those of a classifier (own)"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_another_network(case: str, path: Path, tmp_path: Path) -> None:
    text, options, message = CONTRADICTIONS[case]
    write(path, WEIGHTS, CARD.metadata())
    with pytest.raises(WeightsError) as error:
        read(path, own_model(tmp_path, text), **options)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_another_source(path: Path, tmp_path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    with pytest.raises(WeightsError, match="describes itself as mnv2c's, but is to be read as those of timm"):
        given_or_random(describe(own_model(tmp_path)), path, 0, "timm")


def changed(entries: Mapping[str, Any]) -> dict[str, str]:
    return {KEY: json.dumps(json.loads(CARD.metadata()[KEY]) | entries)}


def prepared(**changes: Any) -> dict[str, str]:
    return changed({"preprocessing": {**CARD.preprocessing, **changes}})


DAMAGED = {
    "no JSON": ({KEY: "{"}, "is not JSON"),
    "no object": ({KEY: "[]"}, "of another format than 1"),
    "of tomorrow": (changed({"format": 2}), "of another format than 1"),
    "no task": (changed({"task": None}), "has no proper task"),
    "labels": (changed({"labels": [1, 2, 3]}), "has no proper labels"),
    "half a character": (changed({"labels": ["a", "\ud800", "c"]}), "one of its labels is no line of text"),
    "end of a string": (changed({"labels": ["a", "b\0", "c"]}), "one of its labels is no line of text"),
    "beyond float": (prepared(mean=[10**400, 0, 0]), "it must be three usable numbers"),
    "too few labels": (changed({"labels": ["a"]}), "has 1 labels, but its network has 3 classes"),
    "another task": (changed({"task": "detector"}), "says that it is a detector, but its network is a classifier"),
    "no network": (changed({"spec": "width = -1"}), "in the weights' own description: width is -1"),
    "colours": (prepared(channels="grb"), "preprocessing channels is 'grb'; it must be rgb or bgr"),
    "no colours": (prepared(channels=None), "preprocessing channels is None"),
    "fit": (prepared(fit="squeeze"), "preprocessing fit is 'squeeze'; it must be crop or stretch or letterbox"),
    "interpolation": (prepared(interpolation="lanczos"), "preprocessing interpolation is 'lanczos'"),
    "mean": (prepared(mean=[0.5]), "preprocessing mean is [0.5]; it must be three usable numbers"),
    "not a number": (prepared(mean=[0.5, "x", 0.5]), "it must be three usable numbers"),
    "deviation": (prepared(deviation=[0.5, 0, 0.5]), "preprocessing deviation is [0.5, 0, 0.5]"),
    "a deviation of nearly nothing": (prepared(deviation=[0.5, 1e-300, 0.5]), "preprocessing deviation is"),
    "a crop of nearly nothing": (prepared(crop=1e-300), "preprocessing crop is 1e-300"),
    "infinite": (changed({"accuracy": {"top1": 1e999}}), "holds too much, or what is neither text nor a finite number"),
    "no number": (changed({"recipe": {"rate": float("nan")}}), "neither text nor a finite number"),
    "deep": (changed({"recipe": json.loads('{"a":' * 50 + "1" + "}" * 50)}), "neither text nor a finite number"),
    "steers a terminal": (changed({"licence": "\x1b[2J"}), "neither text nor a finite number"),
    "more than asked for": (prepared(more="\ud800"), "neither text nor a finite number"),
    "a long licence": (changed({"licence": "x" * 100_000}), "holds too much"),
    "a long network": (changed({"spec": "#" * 100_000}), "holds too much"),
    "crop": (prepared(crop=1.5), "preprocessing crop is 1.5; it must be above 0 and at most 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_card_that_contradicts_itself(case: str, path: Path, tmp_path: Path) -> None:
    metadata, message = DAMAGED[case]
    write(path, WEIGHTS, metadata)
    with pytest.raises(WeightsError) as error:
        read(path, own_model(tmp_path))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def test_on_the_command_line_it_is_one_line(path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write(path, WEIGHTS, CARD.metadata())
    assert main(["export", "mobilenet_v2", "--weights", str(path), "-o", str(tmp_path / "x.onnx")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "mobilenet_v2 is described with width 1.0" in err


def test_other_metadata_is_nobody_s_business(path: Path, tmp_path: Path) -> None:
    write(path, WEIGHTS, {"format": "pt"})
    found = read(path, own_model(tmp_path, 'width = 0.35\nresolution = 32\npadding = "tf_same"\n'))
    assert found.card is None
