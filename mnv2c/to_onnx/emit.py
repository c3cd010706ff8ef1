"""Emission of the ONNX model: one node group per layer, in execution order.

Input "input" is float32 NHWC [1, H, W, 3]; a Transpose makes it NCHW, as ONNX convolutions want. A convolution is
Conv (without bias), BatchNormalization and, for ReLU6, Clip; one that predicts is Conv with bias. The final tensor of a
layer bears the layer's name, so that any layer can be compared. Equal inputs give equal bytes. Outputs:

- of a classifier: ``logits`` [1, classes];
- of a detector: ``boxes`` [1, N, 4], as the convention codes them, and ``scores`` [1, N, classes], before sigmoid or
  softmax, both in order of map, row, column, anchor;
- of a segmenter: ``mask`` uint8 [1, H, W], or ``logits`` [1, h, w, classes] at the last map's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import CompilerError
from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.to_onnx.graph import Graph
from mnv2c.to_onnx.nodes import TO_NHWC, constants, nodes, tensor_shape
from mnv2c.weights.names import check

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8  # of the ONNX release that brought opset 17
PRODUCER = "mnv2c"
INPUT = "input"
LOGITS = "logits"
IMAGE = "image.nchw"  # the transposed input


def emit(spec: ModelSpec, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Return the checked model with every shape inferred; raises WeightsError if the weights do not fit."""
    import onnx
    from onnx import TensorProto, helper

    check(weights, spec)
    graph = Graph(weights)
    constants(graph)
    graph.node("Transpose", [INPUT], IMAGE, perm=[0, 3, 1, 2])
    network = layers(spec)
    for layer in network:
        nodes(graph, layer, list(layer.inputs) or [IMAGE], spec)
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, spec.height, spec.image_width, 3])
    outputs = _outputs(graph, spec, network)
    model = helper.make_model(
        helper.make_graph(graph.nodes, spec.name, [image], outputs, graph.initialisers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    onnx.checker.check_model(model)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    _check_shapes(network, model)
    return model


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the model's bytes, the same for equal models."""
    return bytes(model.SerializeToString(deterministic=True))


def _outputs(graph: Graph, spec: ModelSpec, network: tuple[Layer, ...]) -> list[Any]:
    """Return the graph's outputs; logits are a copy with the public name, so that the layer keeps its own."""
    from onnx import TensorProto, helper

    last = network[-1]
    if spec.family == "detector":
        ends = [layer for layer in network if layer.kind == "stack"]
        return [helper.make_tensor_value_info(end.name, TensorProto.FLOAT, tensor_shape(end)) for end in ends]
    if last.kind == "argmax":
        return [helper.make_tensor_value_info(last.name, TensorProto.UINT8, tensor_shape(last))]
    if last.kind == "dense":
        graph.node("Identity", [last.name], LOGITS)
        return [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, tensor_shape(last))]
    graph.node("Transpose", [last.name], LOGITS, perm=TO_NHWC)
    return [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, (1, *last.output_shape))]


def _check_shapes(network: tuple[Layer, ...], model: onnx.ModelProto) -> None:
    """Compare ONNX's own shape inference with the spec's arithmetic."""
    found = {
        info.name: tuple(extent.dim_value for extent in info.type.tensor_type.shape.dim)
        for info in (*model.graph.value_info, *model.graph.output)
    }
    for layer in network:
        if found.get(layer.name) != tensor_shape(layer):
            raise CompilerError(
                f"layer {layer.name}: ONNX infers {found.get(layer.name)}, the spec says {tensor_shape(layer)}"
            )
