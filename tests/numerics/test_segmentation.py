"""The trunk of a segmenter, 513x513 with output stride 16, up to the map of 320 channels, which is the caller's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import mnv2c
from mnv2c.spec import load, to_toml

LIMIT = 1_400_000
LAST = "block_17.project"


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier as ONNX, cut behind its last block."""
    spec = replace(load("mobilenet_v2"), height=513, image_width=513, output_stride=16)
    folder = tmp_path_factory.mktemp("trunk")
    (folder / "classifier.toml").write_text(to_toml(spec), "utf-8")
    whole = onnx.load(mnv2c.export(folder / "classifier.toml", folder / "classifier.onnx"))
    model = onnx.utils.Extractor(whole).extract_model([whole.graph.input[0].name], [LAST])
    model.graph.node.append(helper.make_node("Transpose", [LAST], ["features"], perm=[0, 2, 3, 1]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 33, 33, 320]))
    onnx.save(model, folder / "trunk.onnx")
    return folder / "trunk.onnx"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["host", "x86-64-v3", pytest.param("cortex-a76", marks=pytest.mark.emulated)])
def test_it_runs_in_1400000_bytes(target: str, trunk: Path, tmp_path: Path) -> None:
    compiled = mnv2c.compile(trunk, target, output=tmp_path, name="net", arena_limit=LIMIT)
    assert compiled.metadata["arena_bytes"] <= LIMIT
    assert compiled.metadata["fallbacks"] == []
    mnv2c.verify(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["x86-64-v4", "cortex-a53", "cortex-a55", "cortex-a76"])
def test_that_costs_a_sixth_at_most(target: str, trunk: Path) -> None:
    """Predicted; dilated blocks carry their sums, and the others are joined."""
    found = mnv2c.plan_model(trunk, target, arena_limit=LIMIT)
    assert found.arena_bytes <= LIMIT
    assert found.time_ratio <= 7 / 6
