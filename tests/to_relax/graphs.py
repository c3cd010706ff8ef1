"""Small ONNX models, checked, for the tests of everything that reads one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shapes = Mapping[str, Sequence[int | str]]


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Shapes,
    outputs: Shapes,
    constants: Mapping[str, np.ndarray] | None = None,
    opset: int = 17,
    check: bool = True,
) -> onnx.ModelProto:
    """A float32 model of these nodes."""

    def infos(shapes: Shapes) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "test", infos(inputs), infos(outputs), initialisers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if check:
        onnx.checker.check_model(made)
    return made


def random(*shape: int, seed: int = 0) -> np.ndarray:
    """Random float32 values."""
    return np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype(np.float32)


def convolution(inputs: str, output: str, channels: tuple[int, int], **attributes: int) -> tuple[onnx.NodeProto, dict]:
    """A 1x1 convolution with bias, and its constants; the node has no name, as exporters may leave it."""
    constants = {f"{output}.w": random(channels[1], channels[0], 1, 1), f"{output}.b": random(channels[1], seed=1)}
    return helper.make_node("Conv", [inputs, *constants], [output], **attributes), constants
