"""Names: whatever a file calls its tensors, each of the library has one name, and steps are compared rightly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mnv2c
from mnv2c.plan.network import Network
from tests.foreign.exporters import DYNAMO, KERAS, TORCHSCRIPT, Style, network, saved
from tests.foreign.names import LABELS, OTHERS, renamed
from tests.foreign.test_exporters import fused

STYLES = (TORCHSCRIPT, DYNAMO, KERAS, replace(TORCHSCRIPT, head="conv"))


def places(found: Network) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every step, and of its results the ONNX tensors that they must equal, with their layouts."""
    tensors = found.tensors
    return [
        (node.label, tuple((tensors[name].onnx_name, tensors[name].onnx_layout) for name in node.outputs))
        for node in found.nodes
    ]


@settings(max_examples=12)
@given(st.sampled_from(STYLES), st.integers(0, 10_000))
def test_names_change_nothing_but_themselves(style: Style, seed: int) -> None:
    plain = network(style)
    model, names = renamed(plain, seed)
    before, after = fused(plain), fused(model)
    assert after.inputs == tuple(names[name] for name in before.inputs)
    assert after.outputs == tuple(names[name] for name in before.outputs)
    wanted = [(label, tuple((names.get(name, ""), how) for name, how in found)) for label, found in places(before)]
    assert places(after) == wanted
    assert len(after.tensors) == len(before.tensors)
    made = [name for node in after.nodes for name in node.outputs]
    assert len({*made, *after.inputs}) == len(made) + len(after.inputs)


@pytest.mark.parametrize(
    ("image", "logits"), [("image", "dense"), ("bottleneck_02", "dense"), ("a.b", "a_b"), ("head", "dense %s {}")]
)
def test_libraries_of_any_names_verify(image: str, logits: str, tmp_path: Path) -> None:
    model, _ = renamed(network(TORCHSCRIPT), 7, image=image, logits=logits)
    made = mnv2c.compile(saved(model, tmp_path / "named.onnx"), output=tmp_path / "out")
    report = mnv2c.verify(made.directory)
    assert report.passed and len(report.comparisons) >= 5
    described = json.loads((made.directory / "named.json").read_text())
    assert [port["name"] for port in (*described["inputs"], *described["outputs"])] == [image, logits]
    results = [result["name"] for chain in described["chains"] for result in chain["results"]]
    assert len({image, *results}) == len(results) + 1
    (last,) = [entry for entry in described["chains"] if entry["name"] == "dense"]
    assert [(entry["name"], entry["space"], entry["onnx"]) for entry in last["results"]] == [(logits, "output", logits)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_libraries_of_random_names_verify(seed: int, tmp_path: Path) -> None:
    choice = (*LABELS, *OTHERS)
    model, _ = renamed(network(STYLES[seed % len(STYLES)]), seed, logits=choice[seed % len(choice)])
    made = mnv2c.compile(saved(model, tmp_path / "named.onnx"), output=tmp_path / "out")
    report = mnv2c.verify(made.directory)
    assert report.passed and len(report.comparisons) >= 5
