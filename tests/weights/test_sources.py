"""Importers: names and shapes, recognition, what a source sets, and one clear line for what does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnv2c.errors import WeightsError
from mnv2c.pictures.image import Preprocessing
from mnv2c.spec import ModelSpec, describe, load
from mnv2c.spec.table2 import Row
from mnv2c.weights import SOURCES, expected, given_or_random, random_weights, write
from mnv2c.weights import load as load_weights
from mnv2c.weights.source import axes, biases, check_model, names

SMALL = {"width": 0.35, "resolution": 32}
LISTS = {
    "torchvision": ("torchvision", "mobilenet_v2", 1000),
    "timm_100": ("timm", "mobilenetv2_100", 1000),
    "timm_110d": ("timm", "mobilenetv2_110d", 1000),
    "hf": ("hf", "mobilenet_v2", 1001),
    "tf_object_detection": ("tf_object_detection", "ssdlite_mobilenet_v2", 91),
    "qfgaohao": ("qfgaohao", "mb2_ssd_lite", 21),
    "hf_segmenter": ("hf_segmenter", "deeplabv3_mobilenet_v2", 21),
}
FOREIGN = [name for name in SOURCES if name not in ("mnv2c", "torchvision_v1")]
MODELS = {"classifier": "mobilenet_v2", "detector": "ssdlite_mobilenet_v2", "segmenter": "deeplabv3_mobilenet_v2"}


def model_for(source: str) -> str:
    """The model of the source's family that leaves the most to the weights."""
    return MODELS[SOURCES[source].families[0]]


def foreign(source: str, spec: ModelSpec, seed: int = 1) -> dict[str, np.ndarray]:
    """Random weights as the source would save them, with its counters and what it has besides."""
    chosen = SOURCES[source]
    called, turned, shifts = names(chosen, spec), axes(chosen, spec), biases(chosen, spec)
    tensors = {}
    for name, tensor in random_weights(spec, seed).items():
        if name in turned:
            tensor = tensor.transpose(np.argsort(turned[name]))
        if name in shifts:
            tensors[shifts[name]] = np.arange(tensor.size, dtype=np.float32) % 3
            tensor = tensor + tensors[shifts[name]]
        tensors[called[name]] = tensor
    counters = {name.replace("running_mean", "num_batches_tracked") for name in tensors if "running_mean" in name}
    return tensors | {name: np.zeros((), np.int64) for name in (*counters, *(f"{part}x" for part in chosen.unused))}


@pytest.mark.parametrize("case", LISTS)
def test_names_and_shapes(case: str, golden) -> None:
    """The lists were compared with the state dicts of the packages' own modules; see test_foreign_modules."""
    source, name, classes = LISTS[case]
    spec = load(name, classes=classes)
    called, shapes = names(SOURCES[source], spec), expected(spec)
    assert list(called) == list(shapes)
    golden(f"{case}.txt", "".join(f"{theirs} {list(shapes[ours])}\n" for ours, theirs in called.items()))


@pytest.mark.parametrize("source", SOURCES)
def test_every_name_is_used_once(source: str) -> None:
    chosen = SOURCES[source]
    for family in chosen.families:
        spec = replace(load("mobilenetv2_120d" if family == "classifier" else MODELS[family]), **chosen.conventions)
        called = [*names(chosen, spec).values(), *biases(chosen, spec).values()]
        assert len(set(called)) == len(called)


@pytest.mark.parametrize("source", FOREIGN)
def test_recognised_by_its_names(source: str, tmp_path: Path) -> None:
    description = describe(model_for(source), **SMALL)
    conventions = SOURCES[source].conventions
    path = tmp_path / "w.safetensors"
    write(path, foreign(source, replace(description.spec, classes=SOURCES[source].classes, **conventions)))
    found = given_or_random(description, path, 0)
    assert found.source is SOURCES[source]
    assert found.spec == replace(description.spec, classes=SOURCES[source].classes, **conventions)
    assert found.class_offset == SOURCES[source].class_offset
    for name, tensor in random_weights(found.spec, 1).items():
        np.testing.assert_array_equal(found.tensors[name], tensor)


def test_a_source_can_be_forced(tmp_path: Path) -> None:
    description = describe("mobilenet_v2", **SMALL)
    path = tmp_path / "w.safetensors"
    write(path, foreign("torchvision", description.spec))
    assert load_weights(path, description.spec, source="torchvision_v1").source.preprocessing["crop"] == 0.875
    with pytest.raises(WeightsError, match=r'no tensor of mobilenet_v2 in it; names are like "conv_stem\.weight"$'):
        load_weights(path, description.spec, source="timm")
    with pytest.raises(WeightsError, match=r'unknown weights source "tim" \(did you mean "timm"\?\); sources: mnv2c, '):
        load_weights(path, description.spec, source="tim")
    with pytest.raises(WeightsError, match=r'weights source "timm" is given, but no weights file'):
        given_or_random(description, None, 0, "timm")


def test_the_number_of_classes_is_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write(path, foreign("hf", load("mobilenet_v2", classes=5, **SMALL)))
    found = given_or_random(describe("mobilenet_v2", **SMALL), path, 0)
    assert (found.spec.classes, found.class_offset) == (5, 0)
    with pytest.raises(WeightsError, match=r"is 5x1280, but mobilenet_v2 \(width 0\.35, 6 classes\) needs 6x1280"):
        given_or_random(describe("mobilenet_v2", classes=6, **SMALL), path, 0)


@pytest.mark.parametrize("source", ["tf_object_detection", "qfgaohao", "hf_segmenter", "mnv2c"])
def test_the_number_of_slots_is_the_file_s(source: str, tmp_path: Path) -> None:
    model = "mb2_ssd_lite" if source == "qfgaohao" else "ssdlite_mobilenet_v2"
    model = "deeplabv3_mobilenet_v2" if source == "hf_segmenter" else model
    own = tmp_path / "own.toml"
    own.write_text(f'name = "own"\nfamily = "{load(model).family}"\nresolution = 32\nwidth = 0.35\n')
    path = tmp_path / "w.safetensors"
    conventions = SOURCES[source].conventions
    write(path, foreign(source, replace(load(own, classes=7), **conventions)))
    found = given_or_random(describe(own), path, 0)
    assert (found.source.name, found.spec.classes, found.class_offset) == (source, 7, 0)
    with pytest.raises(WeightsError, match=r"6 classes\) needs"):
        given_or_random(describe(own, classes=6), path, 0)


def test_weights_of_another_family(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write(path, foreign("hf", load("mobilenet_v2", **SMALL)))
    with pytest.raises(
        WeightsError, match=r"Hugging Face MobileNetV2ForImageClassification has no weights of a segmen"
    ):
        given_or_random(describe("deeplabv3_mobilenet_v2", **SMALL), path, 0, "hf")
    with pytest.raises(WeightsError, match=r'"classifier\.bias", .* not part of deeplabv3.*conv_pool'):
        given_or_random(describe("deeplabv3_mobilenet_v2", **SMALL), path, 0)
    with pytest.raises(WeightsError, match="no tensor is named as in any known source: mnv2c, tf_object_detection, qf"):
        given_or_random(describe("ssdlite_mobilenet_v2", **SMALL), path, 0)


def test_a_bias_before_normalisation_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    tensors = foreign("qfgaohao", load("mb2_ssd_lite", **SMALL))
    del tensors["regression_headers.2.0.bias"]
    write(path, tensors)
    with pytest.raises(WeightsError, match=r'tensor "regression_headers\.2\.0\.bias" of 512 values is missing'):
        given_or_random(describe("mb2_ssd_lite", **SMALL), path, 0)


def test_heads_that_a_source_cannot_have() -> None:
    with pytest.raises(WeightsError, match=r"has the layer extra_1\.regular, which TensorFlow Object Detection"):
        check_model(SOURCES["tf_object_detection"], load("ssd_mobilenet_v2"))
    with pytest.raises(WeightsError, match=r"has the layer head\.branch_1, which Hugging Face"):
        check_model(SOURCES["hf_segmenter"], load("deeplabv3_mobilenet_v2_aspp"))


def test_a_prefix_of_parallel_training_is_dropped(tmp_path: Path) -> None:
    description = describe("mobilenet_v2", **SMALL)
    path = tmp_path / "w.safetensors"
    write(path, {f"module.{name}": tensor for name, tensor in foreign("timm", description.spec).items()})
    assert given_or_random(description, path, 0).source.name == "timm"


@pytest.mark.parametrize(
    ("model", "source", "message"),
    [
        ("mobilenet_v2_keras", "torchvision", "need padding symmetric, but mobilenet_v2_keras states tf_same"),
        ("mobilenetv2_100", "hf", "need padding tf_same, but mobilenetv2_100 states symmetric; leave padding out"),
        ("eps.toml", "timm", "need bn_epsilon 1e-05, but eps states 0.001; leave bn_epsilon out"),
    ],
)
def test_a_stated_convention_that_contradicts(tmp_path: Path, model: str, source: str, message: str) -> None:
    (tmp_path / "eps.toml").write_text('name = "eps"\nbn_epsilon = 1e-3\n')
    path = tmp_path / "w.safetensors"
    description = describe(tmp_path / model if model.endswith(".toml") else model, **SMALL)
    write(path, foreign(source, description.spec))
    with pytest.raises(WeightsError) as error:
        given_or_random(description, path, 0)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_does_not_fit_is_named_as_the_file_names_it(tmp_path: Path) -> None:
    description = describe("mobilenet_v2", **SMALL)
    path = tmp_path / "w.safetensors"
    tensors = foreign("torchvision", description.spec)
    del tensors["features.2.conv.0.0.weight"]
    tensors["features.0.1.bias"] = np.zeros(3, np.float32)
    tensors["head.fc"] = np.zeros(3, np.float32)
    write(path, tensors)
    with pytest.raises(WeightsError) as error:
        given_or_random(description, path, 0)
    assert str(error.value) == (
        f'{path}: tensor "head.fc" is not part of mobilenet_v2; tensor "features.2.conv.0.0.weight" of mobilenet_v2 is '
        'missing; tensor "features.0.1.bias" is 3, but mobilenet_v2 (width 0.35, 1000 classes) needs 16'
    )


def test_another_width_is_told(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write(path, foreign("timm", load("mobilenetv2_050", resolution=32)))
    with pytest.raises(WeightsError, match=r'"conv_stem\.weight" is 16x3x3x3, but .* needs 32x3x3x3; tensors') as error:
        given_or_random(describe("mobilenetv2_100"), path, 0)
    assert "more) are of another shape too" in str(error.value)


def test_values_are_checked_under_the_file_s_names(tmp_path: Path) -> None:
    description = describe("mobilenet_v2", **SMALL)
    path = tmp_path / "w.safetensors"
    tensors = foreign("timm", description.spec)
    tensors["bn1.running_var"] = -tensors["bn1.running_var"]
    write(path, tensors)
    with pytest.raises(WeightsError, match=r'tensor "bn1\.running_var" has a negative variance'):
        given_or_random(description, path, 0)


def test_foreign_to_every_source(tmp_path: Path) -> None:
    write(tmp_path / "w.safetensors", {"a": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match="no tensor is named as in any known source: mnv2c, torchvision"):
        given_or_random(describe("mobilenet_v2"), tmp_path / "w.safetensors", 0)


def test_networks_that_a_source_cannot_have() -> None:
    same = replace(load("mobilenet_v2", **SMALL), rows=(Row(1, 32, 1, 1), Row(6, 24, 2, 2)))
    with pytest.raises(WeightsError, match=r"has the layer block_1\.add, which Hugging Face"):
        check_model(SOURCES["hf"], same)
    check_model(SOURCES["torchvision"], same)
    plain = replace(load("mobilenet_v2", **SMALL), rows=(Row(1, 16, 2, 1),), shortcut="none")
    with pytest.raises(WeightsError, match=r"has block_2\.depthwise\.weight, but Hugging Face .* has only block_1\."):
        check_model(SOURCES["hf"], plain)


@pytest.mark.parametrize("source", FOREIGN)
def test_preprocessing_is_what_run_reads(source: str) -> None:
    entry = json.loads(json.dumps(dict(SOURCES[source].preprocessing)))
    assert Preprocessing.from_metadata({"preprocessing": entry}) == Preprocessing(**SOURCES[source].preprocessing)
    assert entry.keys() | {"fit"} == Preprocessing.__dataclass_fields__.keys()
    assert entry.get("fit", "crop") in ("crop", "stretch", "letterbox")
    assert SOURCES[source].licence
