"""The reference answers for every tensor that is asked for, also where its own optimiser would lose one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.errors import OnnxError
from mnv2c.verification import comparison, onnx_reference

OPSET = [helper.make_opsetid("", 17)]


def two_convolutions(path: Path, outputs: tuple[str, ...]) -> Path:
    """Two convolutions of one pixel and their sum: ONNX Runtime 1.32 fuses one with the sum, and then misses it."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in {"w3": (1, 29, 3, 3), "b3": (1,), "w1": (1, 29, 1, 1), "b1": (1,)}.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w3", "b3"], ["first"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["x", "w1", "b1"], ["second"]),
        helper.make_node("Add", ["first", "second"], ["sum"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 1, 1)) for name in outputs]
    source = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 29, 1, 1))]
    graph = helper.make_graph(nodes, "sum", source, ends, weights)
    onnx.save(helper.make_model(graph, opset_imports=OPSET, ir_version=8), path)
    return path


def test_a_tensor_that_is_fused_and_asked_for_is_not_lost(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = two_convolutions(tmp_path / "net.onnx", ("sum", "first", "second"))
    value = {"x": np.random.default_rng(1).standard_normal((1, 29, 1, 1)).astype(np.float32)}
    total, first, second = onnx_reference.session(path).run(None, value)
    assert total == pytest.approx(first + second, abs=1e-5) and first != second
    assert capfd.readouterr() == ("", "")


def test_such_a_network_verifies(tmp_path: Path) -> None:
    made = mnv2c.compile(two_convolutions(tmp_path / "net.onnx", ("sum",)), output=tmp_path / "out")
    assert comparison.compare(made.directory).passed


def test_a_model_that_the_reference_refuses_is_the_users(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Integers are divided by the numbers of the self-test, which are 0."""
    tensor = helper.make_tensor_value_info
    nodes = [helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64), helper.make_node("Div", ["i", "d"], ["y"])]
    ends = [tensor("x", TensorProto.FLOAT, (1, 4)), tensor("d", TensorProto.INT64, (1, 4))]
    graph = helper.make_graph(nodes, "g", ends, [tensor("y", TensorProto.INT64, (1, 4))])
    onnx.save(helper.make_model(graph, opset_imports=OPSET, ir_version=8), tmp_path / "net.onnx")
    with pytest.raises(OnnxError, match=r"cannot be run by the reference, onnxruntime: .*division by zero"):
        mnv2c.compile(tmp_path / "net.onnx", output=tmp_path / "out")
    assert "E:onnxruntime" not in capfd.readouterr().err
