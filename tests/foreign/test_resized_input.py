"""A Resize that reads a planar input through a transpose, as TensorFlow's exporter writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c.verification import comparison
from tests.to_relax.graphs import convolution, model


@pytest.mark.parametrize("sizes", [(8, 12), (48, 46)])
def test_a_resize_behind_a_transpose_of_the_planar_input_compiles(sizes: tuple[int, int], tmp_path: Path) -> None:
    node, constants = convolution("planar", "y", (3, 5))
    nodes = [
        helper.make_node("Transpose", ["x"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Resize", ["last", "", "", "sizes"], ["resized"], mode="linear"),
        helper.make_node("Transpose", ["resized"], ["planar"], perm=[0, 3, 1, 2]),
        node,
    ]
    constants["sizes"] = np.array([1, *sizes, 3], np.int64)
    onnx.save(model(nodes, {"x": [1, 3, 4, 6]}, {"y": [1, 5, *sizes]}, constants), tmp_path / "resized.onnx")
    mnv2c.compile(tmp_path / "resized.onnx", output=tmp_path / "out")
    comparison.compare(tmp_path / "out").raise_if_failed()
