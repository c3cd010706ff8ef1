"""The report of a model: the paper's figures, keys for scripts, and the text for people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mnv2c.report.inspect import inspection, render
from mnv2c.spec import ModelSpec, load
from mnv2c.spec.table2 import Row

BASE = load("mobilenet_v2")


def test_keys_for_scripts() -> None:
    found = inspection(BASE)
    assert json.loads(json.dumps(found)) == found
    assert {"name", "params", "params_without_bn", "madds", "layers", "memory"} <= set(found)
    assert (found["name"], found["params"], found["params_without_bn"]) == ("mobilenet_v2", 3_504_872, 3_470_760)
    assert found["params_folded"] == 3_487_816
    assert found["madds"] == 300_774_272
    assert found["input"]["shape"] == [1, 224, 224, 3]


def test_layers_add_up() -> None:
    found = inspection(BASE)
    for key in ("params", "params_without_bn", "madds"):
        assert sum(layer[key] for layer in found["layers"]) == found[key]


@pytest.mark.parametrize("name", ["mobilenet_v2", "mb2_ssd_lite", "deeplabv3_mobilenet_v2_hf"])
def test_spec_can_be_rebuilt(name: str) -> None:
    spec = replace(load(name), rows=(Row(1, 16, 1, 1), Row(6, 24, 2, 2)))
    assert ModelSpec(**inspection(spec)["spec"]) == spec


def test_memory_bounds() -> None:
    memory = inspection(BASE)["memory"]
    assert memory["unfused"]["equation_2"] == {"bytes": 6_021_120, "at": "block_2.depthwise"}
    assert memory["bottlenecks"]["equation_1"]["bytes"] == 4 * 112 * 112 * 49


def test_layers_of_the_network(golden) -> None:
    golden("layers.json", "\n".join(json.dumps(layer) for layer in inspection(BASE)["layers"]) + "\n")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mobilenet_v2", {}),
        ("mobilenet_v2_140", {}),
        ("mobilenet_v2_035_96", {}),
        ("mobilenet_v2_keras", {"resolution": "97x131", "width": 0.5}),
        ("ssdlite_mobilenet_v2", {}),
        ("mb2_ssd_lite", {"resolution": "97x131"}),
        ("deeplabv3_mobilenet_v2", {}),
        ("deeplabv3_mobilenet_v2_aspp_os8", {}),
    ],
)
def test_text(golden, name: str, options: dict) -> None:
    text = render(inspection(load(name, **options)))
    assert max(map(len, text.splitlines())) <= 110
    golden(f"{name}.txt", text)


def test_footnotes_name_the_paper_s_figures() -> None:
    notes = "\n".join(inspection(BASE)["notes"])
    assert "3.4 M parameters and 300 M MAdds" in notes and "19 bottlenecks" in notes
    assert "6.9 M parameters and 585 M MAdds" in "\n".join(inspection(load("mobilenet_v2_140"))["notes"])
    assert "7 M MAdds" in "\n".join(inspection(load("mobilenet_v2_035_96"))["notes"])
    assert "Table 4" not in "\n".join(inspection(replace(BASE, classes=10))["notes"])


PRINTED = {  # what the report must say of the paper's tables
    ("ssdlite_mobilenet_v2", 80): ["2.1 M parameters and 0.35 B", "2.10 M and 0.176 B", "4.32 M and 787.3 M"],
    ("ssdlite_mobilenet_v2", 91): ["4.3 M parameters and 0.8 B", "(2.11 M and 0.178 B with 81 slots)", "787.3 M"],
    ("ssd_mobilenet_v2", 91): ["14.8 M parameters and 1.25 B", "14.63 M and 1.245 B (14.78 M and 1.259 B with 81"],
    ("deeplabv3_mobilenet_v2", 21): ["2.11 M parameters and 2.75 B", "2.114 M and 2.741 B (2.604 B at 512x512)"],
    ("deeplabv3_mobilenet_v2_os8", 21): ["152.6 B MAdds for MF", "2.114 M and 152.3 B"],
    ("deeplabv3_mobilenet_v2_aspp", 21): [
        "4.52 M parameters and 5.8 B",
        "5.364 B (5.070 B at 512x512), or 5.82 B with",
    ],
    ("deeplabv3_mobilenet_v2_aspp_os8", 21): ["387 B MAdds for MF", "4.524 M and 327.9 B, or 387.3 B with ASPP"],
}


@pytest.mark.parametrize(("name", "classes"), PRINTED)
def test_footnotes_of_detectors_and_segmenters(name: str, classes: int) -> None:
    notes = "\n".join(inspection(load(name, classes=classes))["notes"])
    for text in PRINTED[name, classes]:
        assert text in notes


@pytest.mark.parametrize(
    "options", [{"resolution": 300}, {"width": 0.5}, {"classes": 7, "resolution": 257}], ids=["size", "width", "both"]
)
@pytest.mark.parametrize("name", ["ssdlite_mobilenet_v2", "deeplabv3_mobilenet_v2"])
def test_other_networks_are_not_the_paper_s(name: str, options: dict) -> None:
    assert "prints" not in "\n".join(inspection(load(name, **options))["notes"])


def test_counts_of_families() -> None:
    detector = inspection(load("ssdlite_mobilenet_v2"))
    assert detector["head"] == {"params": 2_276_671, "madds": 193_184_704}
    assert detector["memory"]["table3"] == []
    segmenter = inspection(load("deeplabv3_mobilenet_v2_aspp", resolution=512))
    assert segmenter["multi_scale"]["sizes"][0] == [256, 256]
    assert segmenter["madds"] < segmenter["madds_padded"] < segmenter["multi_scale"]["madds"]
    assert inspection(load("deeplabv3_mobilenet_v2", resolution=33))["multi_scale"] is None
    for found in (detector, segmenter):
        assert json.loads(json.dumps(found)) == found
        assert sum(layer["madds"] for layer in found["layers"]) == found["madds"]


def test_ablations_and_small_images_are_reported() -> None:
    for spec in (
        replace(BASE, output_stride=8, shortcut="expansion", height=33, image_width=61),
        replace(BASE, rows=(Row(1, 8, 1, 1),), height=32, image_width=32),
        replace(BASE, rows=(Row(6, 8, 64, 1), Row(6, 8, 64, 1)), height=32, image_width=32),  # the deepest
        replace(load("ssdlite_mobilenet_v2"), rows=(Row(6, 8, 64, 1), Row(6, 8, 64, 2)), classes=100),
    ):
        assert spec.name in render(inspection(spec))
