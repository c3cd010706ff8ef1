"""Finding descriptions by name and by path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c.errors import SpecError
from mnv2c.spec import ModelSpec, available, describe, from_toml, load, to_toml
from mnv2c.spec.model import family_fields


def test_zoo() -> None:
    assert "mobilenet_v2" in available()
    for name in available():
        assert load(name).name == name


def test_named_file_spells_out_the_default() -> None:
    assert load("mobilenet_v2") == ModelSpec()


def test_what_belongs_to_the_weights_is_stated_by_files_that_insist_on_it() -> None:
    weights_own = {"classes", "padding", "bn_epsilon"}
    assert describe("mobilenet_v2").stated == set(family_fields("classifier")) - weights_own
    assert describe("mobilenet_v2_slim").stated >= weights_own
    found = describe("mobilenet_v2", classes=10, resolution=96)
    assert found.spec == load("mobilenet_v2", classes=10, resolution=96)
    assert found.stated & weights_own == {"classes"}


@pytest.mark.parametrize(
    ("name", "weights_own"),
    [
        ("ssdlite_mobilenet_v2", {"classes", "padding", "bn_epsilon", "detector_head", "boxes"}),
        ("deeplabv3_mobilenet_v2", {"classes", "padding", "bn_epsilon", "head_bn_epsilon", "head_activation"}),
    ],
)
def test_detectors_and_segmenters_leave_to_the_weights_what_is_theirs(name: str, weights_own: set[str]) -> None:
    assert not describe(name).stated & weights_own
    spec = load(name)
    assert describe(name).stated <= set(family_fields(spec.family))
    assert from_toml(to_toml(spec)) == spec
    assert replace(from_toml(f'family = "{spec.family}"'), name=name) == spec


def test_options_replace_the_file_s_values() -> None:
    spec = load("mobilenet_v2", width=0.35, resolution="96x160", classes=10)
    assert (spec.width, spec.height, spec.image_width, spec.classes) == (0.35, 96, 160, 10)
    assert load("mobilenet_v2", resolution=(96, 160)).resolution == "96x160"


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(ModelSpec(name="mine", padding="tf_same")))
    assert load(path, width=0.5) == ModelSpec(name="mine", padding="tf_same", width=0.5)


def test_unknown_name() -> None:
    with pytest.raises(SpecError, match=r'^unknown model "mobilnet_v2" \(did you mean "mobilenet_v2"\?\)'):
        load("mobilnet_v2")
    with pytest.raises(SpecError, match=r'^unknown model "mobilenet_v3"; give a \.toml'):
        load("mobilenet_v3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"resolution": "8"}, "height is 8"),
        ({"resolution": 8}, "height is 8"),
        ({"classes": 0}, "classes is 0"),
        ({"resolution": "big"}, "resolution is 'big'"),
    ],
)
def test_bad_option(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=rf"^{message}"):
        load("mobilenet_v2", **options)


UNREADABLE = {"missing": None, "binary": b"\xff\xfe", "huge": b"#" * (2 << 20), "empty": b" \n"}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError, match=r"mine\.toml: ") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "mine.toml"
    folder.mkdir()
    with pytest.raises(SpecError, match="cannot be read"):
        load(folder)
