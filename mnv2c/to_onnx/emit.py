"""Emission of the ONNX model: one node group per layer, in execution order.

Input "input" is float32 NHWC [1, H, W, 3]; a Transpose makes it NCHW, as ONNX convolutions want. A convolution is
Conv (without bias), BatchNormalization and, for ReLU6, Clip. The final tensor of a layer bears the layer's name, so
that any layer can be compared; output "logits" is [1, classes]. Equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import CompilerError
from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.weights.names import BN_FIELDS, check

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8  # of the ONNX release that brought opset 17
PRODUCER = "mnv2c"
INPUT = "input"
OUTPUT = "logits"
IMAGE = "image.nchw"  # the transposed input
RELU6_BOUNDS = {"relu6.min": 0.0, "relu6.max": 6.0}


class _Graph:
    """Collects nodes and initialisers."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node, named after its output tensor; return that name."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> None:
        from onnx import TensorProto, helper

        data = np.ascontiguousarray(value, dtype="<f4").tobytes()
        self.initialisers.append(helper.make_tensor(name, TensorProto.FLOAT, value.shape, data, raw=True))

    def weight(self, name: str) -> str:
        """Append the weight of this name as an initialiser; return the name."""
        self.constant(name, self.weights[name])
        return name


def emit(spec: ModelSpec, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Return the checked model with every shape inferred; raises WeightsError if the weights do not fit."""
    import onnx
    from onnx import TensorProto, helper

    check(weights, spec)
    graph = _Graph(weights)
    for name, bound in RELU6_BOUNDS.items():
        graph.constant(name, np.array(bound, np.float32))
    graph.node("Transpose", [INPUT], IMAGE, perm=[0, 3, 1, 2])
    for layer in layers(spec):
        _EMITTERS.get(layer.kind, _convolution)(graph, layer, list(layer.inputs) or [IMAGE], spec)
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, spec.height, spec.image_width, 3])
    logits = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, spec.classes])
    model = helper.make_model(
        helper.make_graph(graph.nodes, spec.name, [image], [logits], graph.initialisers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    onnx.checker.check_model(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    _check_shapes(spec, model)
    return model


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the model's bytes, the same for equal models."""
    return bytes(model.SerializeToString(deterministic=True))


def _convolution(graph: _Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    """Conv, BatchNormalization and, for ReLU6, Clip."""
    name = layer.name
    (top, bottom), (left, right) = layer.padding
    convolved = graph.node(
        "Conv",
        [*inputs, graph.weight(f"{name}.weight")],
        f"{name}.conv",
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        dilations=list(layer.dilation),
        pads=[top, left, bottom, right],
        group=layer.groups,
    )
    statistics = [graph.weight(f"{name}.bn.{field}") for field in BN_FIELDS]
    clipped = layer.activation == "relu6"
    normalised = f"{name}.bn" if clipped else name
    graph.node("BatchNormalization", [convolved, *statistics], normalised, epsilon=spec.bn_epsilon)
    if clipped:
        graph.node("Clip", [normalised, *RELU6_BOUNDS], name)


def _add(graph: _Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    graph.node("Add", inputs, layer.name)


def _pool(graph: _Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    graph.node("GlobalAveragePool", inputs, layer.name)


def _dense(graph: _Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    name = layer.name
    flat = graph.node("Flatten", inputs, f"{name}.flatten", axis=1)
    graph.node("Gemm", [flat, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")], name, transB=1)
    graph.node("Identity", [name], OUTPUT)  # so that the output has its public name, and the layer its own


_EMITTERS = {"add": _add, "pool": _pool, "dense": _dense}  # every other kind is a convolution


def _check_shapes(spec: ModelSpec, model: onnx.ModelProto) -> None:
    """Compare ONNX's own shape inference with the spec's arithmetic."""
    found = {
        info.name: tuple(extent.dim_value for extent in info.type.tensor_type.shape.dim)
        for info in model.graph.value_info
    }
    for layer in layers(spec):
        height, width, channels = layer.output_shape
        wanted = (1, channels) if layer.kind == "dense" else (1, channels, height, width)
        if found.get(layer.name) != wanted:
            raise CompilerError(f"layer {layer.name}: ONNX infers {found.get(layer.name)}, the spec says {wanted}")
