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


def test_spec_can_be_rebuilt() -> None:
    spec = replace(BASE, rows=(Row(1, 16, 1, 1), Row(6, 24, 2, 2)))
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


def test_ablations_and_small_images_are_reported() -> None:
    for spec in (
        replace(BASE, output_stride=8, shortcut="expansion", height=33, image_width=61),
        replace(BASE, rows=(Row(1, 8, 1, 1),), height=32, image_width=32),
        replace(BASE, rows=(Row(6, 8, 64, 1), Row(6, 8, 64, 1)), height=32, image_width=32),  # the deepest
    ):
        assert spec.name in render(inspection(spec))
