"""What is exported can be read as any other ONNX file, outputs and layers included."""

from __future__ import annotations

from pathlib import Path

import pytest

import mnv2c
from mnv2c.from_onnx import read_onnx
from mnv2c.spec import layers, load

OUTPUTS = {
    "mobilenet_v2": ["logits"],
    "ssdlite_mobilenet_v2": ["boxes", "scores"],
    "mb2_ssd_lite": ["boxes", "scores"],
    "deeplabv3_mobilenet_v2_aspp": ["mask"],
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_exported_files_are_read(name: str, tmp_path: Path) -> None:
    path = mnv2c.export(name, tmp_path / "model.onnx", width=0.35, resolution="33x47")
    model, _ = read_onnx(Path(path))
    assert [output.name for output in model.graph.output] == OUTPUTS[name]
    tensors = {name for node in model.graph.node for name in node.output}
    assert {layer.name for layer in layers(load(name, width=0.35, resolution="33x47"))} <= tensors
