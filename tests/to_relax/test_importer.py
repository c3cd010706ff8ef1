"""The importer keeps names, converts every form of Clip to bounds the passes match, and fails in one line."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from mnv2c.errors import OnnxError
from mnv2c.passes.base import bindings, is_call
from mnv2c.spec import load
from mnv2c.to_onnx import emit
from mnv2c.to_relax.importer import Imported, import_onnx
from mnv2c.weights import random_weights
from tests.to_relax.graphs import convolution, model, random


def operators(imported: Imported) -> list[str]:
    return [getattr(getattr(binding.value, "op", None), "name", "") for binding in bindings(imported.module["main"])]


def test_every_tensor_of_an_emitted_model_is_named() -> None:
    spec = load("mobilenet_v2", width=0.35, resolution=32, classes=4)
    emitted = emit(spec, random_weights(spec, 0))
    imported = import_onnx(emitted)
    variables = {binding.var.name for binding in bindings(imported.module["main"])}
    assert imported.names.keys() <= variables
    assert (imported.inputs, imported.outputs) == (("input",), ("logits",))
    tensors = {name for node in emitted.graph.node for name in node.output}
    assert set(imported.names.values()) <= tensors
    assert {"stem", "block_2.expand", "block_2.project", "block_3.add", "head.pool"} <= set(imported.names.values())


def test_names_come_from_tensors_not_from_nodes() -> None:
    first, constants = convolution("x", "first/Conv:0", (3, 4))
    second, more = convolution("first/Conv:0", "y", (4, 2))
    first.name = second.name = "the same"
    imported = import_onnx(model([first, second], {"x": (1, 3, 2, 2)}, {"y": (1, 2, 2, 2)}, {**constants, **more}))
    assert set(imported.names.values()) == {"first/Conv:0", "y"}
    first.name = second.name = ""
    imported = import_onnx(model([first, second], {"x": (1, 3, 2, 2)}, {"y": (1, 2, 2, 2)}, {**constants, **more}))
    assert set(imported.names.values()) == {"first/Conv:0", "y"}


def test_names_that_are_no_identifiers_are_kept_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported = import_onnx(model([helper.make_node("Relu", ["x:0"], ["y/1"])], {"x:0": (1, 3)}, {"y/1": (1, 3)}))
    assert (imported.inputs, imported.outputs) == (("x:0",), ("y/1",))
    assert imported.names == {"y_1": "y/1"}


BOUNDS = {"low": np.float32(0), "high": np.float32(6)}
CONSTANT_NODES = [
    helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))
    for name, value in BOUNDS.items()
]


@pytest.mark.parametrize(
    ("nodes", "constants", "opset"),
    [
        ([helper.make_node("Clip", ["x", "low", "high"], ["y"])], BOUNDS, 17),
        ([*CONSTANT_NODES, helper.make_node("Clip", ["x", "low", "high"], ["y"])], {}, 13),
        ([helper.make_node("Clip", ["x"], ["y"], min=0.0, max=6.0)], {}, 6),
    ],
    ids=["inputs", "Constant nodes", "attributes"],
)
def test_clip_becomes_maximum_and_minimum(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], opset: int
) -> None:
    imported = import_onnx(model(nodes, {"x": (1, 4, 2, 2)}, {"y": (1, 4, 2, 2)}, constants, opset))
    assert [name for name in operators(imported) if name] == ["relax.maximum", "relax.minimum"]
    bounds = [float(b.value.args[1].value.numpy()) for b in bindings(imported.module["main"]) if b.value in calls(b)]
    assert bounds == [0.0, 6.0]


def calls(binding: object) -> list[object]:
    value = binding.value  # type: ignore[attr-defined]
    return [value] if is_call(value, "relax.maximum") or is_call(value, "relax.minimum") else []


@pytest.mark.parametrize(
    ("inputs", "attributes", "opset", "expected"),
    [
        (["x", "low"], {}, 17, ["relax.maximum"]),
        (["x", "", "high"], {}, 17, ["relax.minimum"]),
        (["x"], {}, 17, []),
        (["x"], {"min": 0.0}, 6, ["relax.maximum"]),
        (["x"], {"max": 6.0}, 6, ["relax.minimum"]),
    ],
)
def test_clip_with_one_bound_or_none(
    inputs: list[str], attributes: dict[str, float], opset: int, expected: list[str]
) -> None:
    constants = {name: value for name, value in BOUNDS.items() if name in inputs}
    node = helper.make_node("Clip", inputs, ["y"], **attributes)
    last = helper.make_node("Neg", ["y"], ["z"])
    imported = import_onnx(model([node, last], {"x": (1, 4)}, {"z": (1, 4)}, constants, opset))
    assert [name for name in operators(imported) if name] == [*expected, "relax.negative"]


def test_an_unknown_operator_is_one_line_that_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    unknown = model([helper.make_node("Frobnicate", ["x"], ["y"])], {"x": (1,)}, {"y": (1,)}, check=False)
    with pytest.raises(OnnxError, match=r"Frobnicate$") as error:
        import_onnx(unknown)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_what_a_converter_refuses_is_one_line_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    wrong = model([node], {"x": (1, 3, 4, 4)}, {"y": (1, 2, 4, 4)}, {"w": random(2, 5, 1, 1)})
    with pytest.raises(OnnxError, match="cannot be imported: ") as error:
        import_onnx(wrong)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_model_without_opset_is_refused() -> None:
    nameless = model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1,)}, {"y": (1,)})
    nameless.opset_import[0].domain = "elsewhere"
    with pytest.raises(OnnxError, match="declares no opset"):
        import_onnx(nameless)
