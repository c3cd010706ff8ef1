"""The ONNX nodes of one layer, by its kind. The final tensor of a layer bears the layer's name and is NCHW.

Where a layer is an output of the model, its final tensor is as the library gives it: ``boxes`` and ``scores`` are
[1, N, values], ``mask`` is uint8 [1, H, W].
"""

from __future__ import annotations

import numpy as np

from mnv2c.spec import Layer, ModelSpec
from mnv2c.to_onnx.graph import Graph
from mnv2c.weights.names import BN_FIELDS

RELU6_BOUNDS = {"relu6.min": 0.0, "relu6.max": 6.0}
TO_NHWC = [0, 2, 3, 1]


def constants(graph: Graph) -> None:
    """Append what several layers share."""
    for name, bound in RELU6_BOUNDS.items():
        graph.constant(name, np.array(bound, np.float32))


def nodes(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    """Append the nodes of a layer that reads the tensors ``inputs``."""
    _EMITTERS.get(layer.kind, _convolution)(graph, layer, inputs, spec)


def _convolution(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    """Conv, then BatchNormalization where it has no bias, then Clip or Relu."""
    name = layer.name
    (top, bottom), (left, right) = layer.padding
    bias = [graph.weight(f"{name}.bias")] if layer.has_bias else []
    convolved = graph.node(
        "Conv",
        [*inputs, graph.weight(f"{name}.weight"), *bias],
        f"{name}.conv" if layer.has_batch_norm else name,
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        dilations=list(layer.dilation),
        pads=[top, left, bottom, right],
        group=layer.groups,
    )
    if not layer.has_batch_norm:
        return
    statistics = [graph.weight(f"{name}.bn.{field}") for field in BN_FIELDS]
    normalised = name if layer.activation == "linear" else f"{name}.bn"
    graph.node("BatchNormalization", [convolved, *statistics], normalised, epsilon=layer.bn_epsilon)
    if layer.activation == "relu6":
        graph.node("Clip", [normalised, *RELU6_BOUNDS], name)
    elif layer.activation == "relu":
        graph.node("Relu", [normalised], name)


def _add(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    graph.node("Add", inputs, layer.name)


def _pool(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    graph.node("GlobalAveragePool", inputs, layer.name)


def _dense(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    name = layer.name
    flat = graph.node("Flatten", inputs, f"{name}.flatten", axis=1)
    graph.node("Gemm", [flat, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")], name, transB=1)


def _broadcast(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    height, width, channels = layer.output_shape
    graph.node("Expand", [*inputs, graph.extents(f"{layer.name}.shape", [1, channels, height, width])], layer.name)


def _concat(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    graph.node("Concat", inputs, layer.name, axis=1)


def _stack(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    """Every map as rows of one prior box each, all maps one below the other."""
    shape = graph.extents(f"{layer.name}.shape", [1, -1, layer.output_shape[2]])
    rows = [
        graph.node(
            "Reshape", [graph.node("Transpose", [source], f"{source}.nhwc", perm=TO_NHWC), shape], f"{source}.rows"
        )
        for source in inputs
    ]
    graph.node("Concat", rows, layer.name, axis=1)


def _resize(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    height, width, channels = layer.output_shape
    sizes = graph.extents(f"{layer.name}.sizes", [1, channels, height, width])
    how = "align_corners" if spec.align_corners else "half_pixel"
    graph.node("Resize", [*inputs, "", "", sizes], layer.name, mode="linear", coordinate_transformation_mode=how)


def _argmax(graph: Graph, layer: Layer, inputs: list[str], spec: ModelSpec) -> None:
    """Of equal logits the lowest class is taken."""
    from onnx import TensorProto

    found = graph.node("ArgMax", inputs, f"{layer.name}.index", axis=1, keepdims=0)
    graph.node("Cast", [found], layer.name, to=TensorProto.UINT8)


_EMITTERS = {  # every other kind is a convolution
    "add": _add,
    "pool": _pool,
    "dense": _dense,
    "broadcast": _broadcast,
    "concat": _concat,
    "stack": _stack,
    "resize": _resize,
    "argmax": _argmax,
}


def tensor_shape(layer: Layer) -> tuple[int, ...]:
    """Return the shape of the tensor that bears the layer's name."""
    height, width, channels = layer.output_shape
    shapes = {"dense": (1, channels), "stack": (1, width, channels), "argmax": (1, height, width)}
    return shapes.get(layer.kind, (1, channels, height, width))
