"""Operands that onnx's inference of shapes does not look at: refused as onnxruntime refuses them, else right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.errors import OnnxError
from mnv2c.from_onnx.read import parse_onnx
from tests.to_relax.graphs import random

IMAGE = (1, 4, 6, 6)
PADS = np.array([0, 0, 6, 0, 0, 0, 0, 0])
WRONG: dict[str, tuple[str, list[np.ndarray[Any, Any]], dict[str, Any], str]] = {
    "a bias for all channels": (
        "Conv",
        [random(3, 4, 3, 3), random(1)],
        {},
        r"operand 2 has the shape \[1\], not \[3\]",
    ),
    "a bias with two dimensions": ("Conv", [random(3, 4, 3, 3), random(1, 3)], {}, r"\[1, 3\], not \[3\]"),
    "a bias of other channels": ("ConvTranspose", [random(4, 3, 2, 2), random(6)], {"group": 1}, r"\[6\], not \[3\]"),
    "one scale for all channels": ("InstanceNormalization", [random(1), random(1)], {}, r"\[1\], not \[4\]"),
    "a bound per channel": ("Clip", [random(4, 1, 1)], {}, "a bound is one number"),
    "a slope of other columns": ("PRelu", [random(8)], {}, r"\[8\], which does not become \[1, 4, 6, 6\]"),
    "a slope of another batch": ("PRelu", [random(2, 4, 1, 1)], {}, "does not become"),
    "a window of nothing": ("LRN", [], {"size": 0}, "size"),
    "a divisor of nothing": ("Div", [np.zeros((), np.float32)], {}, "divides by the constant 0"),
    "a remainder of nothing": ("Mod", [np.zeros(1, np.float32)], {"fmod": 1}, "divides by the constant 0"),
    "a reflection beyond the image": ("Pad", [PADS], {"mode": "reflect"}, "reflects 6 places"),
}
RIGHT: dict[str, tuple[str, list[np.ndarray[Any, Any]], dict[str, Any]]] = {
    "a bound with a dimension": ("Clip", [np.full(1, -0.2, np.float32), np.full(1, 0.3, np.float32)], {}),
    "a slope per row": ("PRelu", [random(6, 1)], {}),
    "a slope per channel and place": ("PRelu", [random(4, 6, 6)], {}),
    "all that can be reflected": ("Pad", [PADS - [0, 0, 1, 0, 0, 0, 0, -5]], {"mode": "reflect"}),
    "a divisor": ("Div", [np.full((), 0.3, np.float32)], {}),
    "a bias of groups": ("ConvTranspose", [random(4, 3, 2, 2), random(6)], {"group": 2}),
}


def model(operator: str, operands: list[np.ndarray[Any, Any]], attributes: dict[str, Any]) -> onnx.ModelProto:
    names = [f"operand_{index}" for index in range(len(operands))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, IMAGE)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(value, name) for name, value in zip(names, operands, strict=True)]
    graph = helper.make_graph([node], "g", [port], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name: str) -> None:
    operator, operands, attributes, reason = WRONG[name]
    with pytest.raises(OnnxError, match=reason) as caught:
        parse_onnx(model(operator, operands, attributes).SerializeToString(), Path("."))
    assert f"({operator})" in str(caught.value)


@pytest.mark.parametrize("name", RIGHT)
def test_what_fits_is_right(name: str, tmp_path: Path) -> None:
    made = model(*RIGHT[name])
    onnx.save(made, tmp_path / "m.onnx")
    compiled = mnv2c.compile(tmp_path / "m.onnx", output=tmp_path / "out")
    image = random(*IMAGE)
    (expected,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": image})
    library = mnv2c.load(compiled.directory)
    (port,) = library.description.inputs
    found = np.asarray(
        library(np.ascontiguousarray(image.reshape(port.shape) if port.shape == IMAGE else image.transpose(0, 2, 3, 1)))
    )
    found = found if found.shape == expected.shape else found.transpose(0, 3, 1, 2)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
