"""Writes a drawn network as an ONNX model with random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.networks.graph import Net, Op, Shape, groups, out_channels

Array = np.ndarray[Any, Any]

NHWC, NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


class Writer:
    """Collects nodes and constants."""

    def __init__(self, net: Net) -> None:
        self.net, self.shapes = net, net.shapes()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def node(self, operator: str, sources: Sequence[str], result: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, list(sources), [result], name=f"node_{result}", **attributes))
        return result

    def value(self, name: str, array: Any, dtype: str = "float32") -> str:
        self.constants[name] = np.asarray(array, dtype)
        return name

    def inputs(self) -> list[onnx.ValueInfoProto]:
        found = []
        for entry in self.net.inputs:
            name = f"{entry.name}_nhwc" if entry.last else entry.name
            shape = [entry.shape[axis] for axis in NHWC] if entry.last else entry.shape
            found.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            if entry.last:
                self.node("Transpose", [name], entry.name, perm=NCHW)
        return found


def model_of(net: Net) -> onnx.ModelProto:
    """The checked model of a network; InvalidError where its operators do not fit together."""
    writer = Writer(net)
    inputs, makers = writer.inputs(), {op.name: op for op in net.ops}
    for op in net.ops:
        random = np.random.default_rng([net.seed, crc32(op.name.encode())])
        WRITERS[op.kind](writer, op, [writer.shapes[source] for source in op.sources], random)
    outputs = []
    for name in net.outputs:
        integers = name in makers and makers[name].kind == "argmax"
        dtype = TensorProto.INT64 if integers else TensorProto.FLOAT
        outputs.append(helper.make_tensor_value_info(name, dtype, writer.shapes[name]))
    initialisers = [numpy_helper.from_array(array, name) for name, array in writer.constants.items()]
    graph = helper.make_graph(writer.nodes, "drawn", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", net.opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _conv(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    channels, kernel = sources[0][1], op.args["kernel"]
    count, made, norm = groups(op, channels), out_channels(op, channels), op.args.get("norm", False)
    depth = channels // count * prod(kernel)
    weights = random.uniform(-1, 1, (made, channels // count, *kernel)) * sqrt(6 / depth)
    operands = [op.sources[0], to.value(f"{op.name}_w", weights)]
    if op.args.get("bias", True):
        operands.append(to.value(f"{op.name}_b", random.uniform(-1, 1, made)))
    attributes = {
        "kernel_shape": kernel,
        "strides": op.args["stride"],
        "dilations": op.args.get("dilation", (1, 1)),
        "pads": op.args["pads"],
        "group": count,
    }
    to.node("Conv", operands, f"{op.name}_conv" if norm else op.name, **attributes)
    if norm:
        drawn = [random.uniform(0.5, 1.5, made), *random.uniform(-0.5, 0.5, (2, made)), random.uniform(0.5, 1.5, made)]
        parameters = [to.value(f"{op.name}_{index}", value) for index, value in enumerate(drawn)]
        to.node("BatchNormalization", [f"{op.name}_conv", *parameters], op.name, epsilon=1e-3)


def _pool(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    attributes = {"kernel_shape": op.args["kernel"], "strides": op.args["stride"], "pads": op.args["pads"]}
    to.node("MaxPool" if op.args["most"] else "AveragePool", op.sources, op.name, **attributes)


def _act(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    how, source = op.args["how"], op.sources[0]
    if how not in ("clip", "min_max", "max_min"):
        to.node(how, [source], op.name)
        return
    low, high = op.args["low"], op.args["high"]
    bounds = {key: to.value(f"{op.name}_{key}", bound) for key, bound in (("low", low), ("high", high))
              if bound is not None}  # fmt: skip
    if how == "clip":
        to.node("Clip", [source, bounds.get("low", ""), bounds.get("high", "")], op.name)
        return
    parts = [("Max", "low"), ("Min", "high")]
    parts = [(operator, bounds[key]) for operator, key in (parts if how == "max_min" else parts[::-1]) if key in bounds]
    for index, (operator, bound) in enumerate(parts):
        result = op.name if index == len(parts) - 1 else f"{op.name}_inner"
        source = to.node(operator, [source, bound], result)


def _scale(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    to.node(op.args["operator"], [op.sources[0], to.value(f"{op.name}_by", op.args["by"])], op.name)


def _resize(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    args = op.args
    if "sizes" in args:
        extents = [*sources[0][:2], *args["sizes"]]
        operands = [op.sources[0], "", "", to.value(f"{op.name}_sizes", extents, "int64")]
    else:
        operands = [op.sources[0], "", to.value(f"{op.name}_scales", [1, 1, *args["scales"]])]
    attributes = {"mode": args["mode"], "coordinate_transformation_mode": args["coordinates"]}
    if args["mode"] == "nearest":
        attributes["nearest_mode"] = args["nearest"]
    if not args.get("last"):
        to.node("Resize", operands, op.name, **attributes)
        return
    # The same of a tensor whose channels come last, as TensorFlow's exporter writes it.
    turned = to.node("Transpose", [op.sources[0]], f"{op.name}_nhwc", perm=NHWC)
    order = [NHWC.index(axis) for axis in range(4)]
    operands = [turned, *operands[1:]]
    constant = to.constants[operands[-1]]
    to.constants[operands[-1]] = constant[[0, 2, 3, 1]]
    resized = to.node("Resize", operands, f"{op.name}_resized", **attributes)
    to.node("Transpose", [resized], op.name, perm=order)


def _mean(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    if op.args.get("how", "global") == "global":
        to.node("GlobalAveragePool", op.sources, op.name)
    elif op.args["how"] == "most":
        to.node("GlobalMaxPool", op.sources, op.name)
    elif to.net.opset < 18:
        to.node("ReduceMean", op.sources, op.name, axes=[2, 3], keepdims=1)
    else:
        to.node("ReduceMean", [*op.sources, to.value(f"{op.name}_axes", [2, 3], "int64")], op.name, keepdims=1)


def _gemm(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    depth, made = sources[0][1], op.args["out"]
    weights = to.value(f"{op.name}_w", random.uniform(-1, 1, (made, depth)) * sqrt(3 / depth))
    bias = [to.value(f"{op.name}_b", random.uniform(-1, 1, made))] if op.args.get("bias", True) else []
    to.node("Gemm", [op.sources[0], weights, *bias], op.name, transB=1)


def _rows(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    shape = to.value(f"{op.name}_shape", [1, -1, op.args["width"]], "int64")
    to.node("Reshape", [op.sources[0], shape], op.name)


def _slice(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    names = [to.value(f"{op.name}_{key}", [op.args[key]], "int64") for key in ("begin", "end", "axis")]
    to.node("Slice", [op.sources[0], *names], op.name)


def _argmax(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
    to.node("ArgMax", op.sources, op.name, axis=1, keepdims=0)


def _plain(operator: str, *keys: tuple[str, str]) -> Callable[..., None]:
    """What writes one node, with the arguments of these keys as attributes of the names beside them."""

    def write(to: Writer, op: Op, sources: Sequence[Shape], random: np.random.Generator) -> None:
        to.node(operator, op.sources, op.name, **{name: op.args[key] for key, name in keys})

    return write


WRITERS: dict[str, Callable[[Writer, Op, Sequence[Shape], np.random.Generator], None]] = {
    "conv": _conv,
    "pool": _pool,
    "act": _act,
    "scale": _scale,
    "add": _plain("Add"),
    "gate": _plain("Mul"),
    "concat": _plain("Concat", ("axis", "axis")),
    "resize": _resize,
    "mean": _mean,
    "flatten": _plain("Flatten"),
    "gemm": _gemm,
    "softmax": _plain("Softmax", ("axis", "axis")),
    "transpose": _plain("Transpose", ("order", "perm")),
    "rows": _rows,
    "slice": _slice,
    "argmax": _argmax,
}
