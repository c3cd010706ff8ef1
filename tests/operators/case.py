"""A case: one operator with attributes and operands; many cases make one network, which is compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.verification import tolerance

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Port:
    """An operand that the caller supplies; it draws ``low`` to ``high``.

    The network makes ``positive`` values of it, or ``truth`` values; ``special`` ones are NaN and infinity, too,
    ``halves`` are multiples of a half.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float = -1.0
    high: float = 1.0
    positive: bool = False
    truth: bool = False
    special: bool = False
    halves: bool = False

    def draw(self, random: np.random.Generator) -> Array:
        if self.dtype == "float32":
            values = np.asarray(random.uniform(self.low, self.high, self.shape), np.float32)
            if self.halves:
                values = np.round(values * 2) / np.float32(2)
            if self.special:
                values.flat[:3] = np.nan, np.inf, -np.inf
            return values
        return random.integers(int(self.low), int(self.high) + 1, self.shape).astype(self.dtype)


@dataclass(frozen=True)
class Case:
    """``operands`` are ports, constants, or None where one is left out; ``refused`` is why it does not compile."""

    operator: str
    operands: tuple[Any, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 17
    results: int = 1
    read: tuple[int, ...] = (0,)
    refused: str = ""
    rounding: float = tolerance.FLOAT32

    def __str__(self) -> str:
        shapes = ",".join(_described(operand) for operand in self.operands)
        attributes = ",".join(f"{name}={value}" for name, value in self.attributes.items())
        return f"{self.operator}-{self.opset}({shapes};{attributes})".replace(" ", "")


def _described(operand: Any) -> str:
    if isinstance(operand, Port):
        return "x".join(map(str, operand.shape)) + ("" if operand.dtype == "float32" else operand.dtype)
    if operand is None:
        return "-"
    array = np.asarray(operand)
    return (
        f"{array.tolist()}"
        if array.size <= 8 and (array.dtype != np.float32 or array.ndim == 0)
        else "c" + "x".join(map(str, array.shape))
    )


def case(
    operator: str,
    *operands: Any,
    opset: int = 17,
    results: int = 1,
    read: Sequence[int] = (0,),
    refused: str = "",
    rounding: float = tolerance.FLOAT32,
    **attributes: Any,
) -> Case:
    """A case whose attributes are keywords."""
    return Case(operator, operands, attributes, opset, results, tuple(read), refused, rounding)


def image(*shape: int, **how: Any) -> Port:
    """A float32 port of batch 1."""
    return Port((1, *shape), **how)


def constant(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> Array:
    """Random float32 values."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def ints(*values: int, dtype: str = "int64") -> Array:
    return np.array(values, dtype)


class Network:
    """Collects the nodes of several cases of one opset; ``between`` puts convolutions before and behind images."""

    def __init__(self, opset: int, between: bool = False) -> None:
        self.opset, self.between = opset, between
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: dict[str, Port] = {}
        self.outputs: list[str] = []
        self.owners: dict[str, Case] = {}

    def add(self, entry: Case, label: str) -> None:
        names = [self._operand(operand, f"{label}_in{index}") for index, operand in enumerate(entry.operands)]
        results = [f"{label}_out{index}" if index in entry.read else "" for index in range(entry.results)]
        results = [name or f"{label}_unread{index}" for index, name in enumerate(results)]
        while not names[-1]:
            names.pop()
        self.nodes.append(helper.make_node(entry.operator, names, results, name=label, **entry.attributes))
        for index in entry.read:
            self.outputs.append(results[index])
            self.owners[results[index]] = entry

    def _operand(self, operand: Any, name: str) -> str:
        if operand is None:
            return ""
        if not isinstance(operand, Port):
            self.constants.append(numpy_helper.from_array(np.asarray(operand), name))
            return name
        self.inputs[name] = operand
        if operand.truth:
            self.constants.append(numpy_helper.from_array(np.float32(0), f"{name}_zero"))
            self.nodes.append(helper.make_node("Greater", [name, f"{name}_zero"], [f"{name}_truth"]))
            return f"{name}_truth"
        if operand.positive:
            self.constants.append(numpy_helper.from_array(np.float32(0.1), f"{name}_tenth"))
            self.nodes.append(helper.make_node("Abs", [name], [f"{name}_abs"]))
            self.nodes.append(helper.make_node("Add", [f"{name}_abs", f"{name}_tenth"], [f"{name}_positive"]))
            return f"{name}_positive"
        if self.between and len(operand.shape) == 4 and operand.dtype == "float32":
            return self.convolved(name, operand.shape[1])
        return name

    def convolved(self, name: str, channels: int) -> str:
        """A 1x1 convolution that keeps each channel largely what it is."""
        weight = np.eye(channels, dtype=np.float32) + 0.1 * constant(channels, channels)
        self.constants.append(numpy_helper.from_array(weight.reshape(channels, channels, 1, 1), f"{name}_w"))
        self.nodes.append(helper.make_node("Conv", [name, f"{name}_w"], [f"{name}_conv"]))
        return f"{name}_conv"

    def model(self) -> onnx.ModelProto:
        """The network, its outputs typed as onnxruntime finds them; truth values come out as numbers."""
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype)), port.shape)
            for name, port in self.inputs.items()
        ]
        bare = self._made(self.nodes, infos, [onnx.ValueInfoProto(name=name) for name in self.outputs])
        inferred = onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True)
        known = {value.name: value for value in (*inferred.graph.value_info, *inferred.graph.output)}
        nodes, outputs = list(self.nodes), []
        for name in self.outputs:
            value = known[name]
            extents = [entry.dim_value for entry in value.type.tensor_type.shape.dim]
            kind = value.type.tensor_type.elem_type
            if self.between and len(extents) == 4 and extents[0] == 1 and kind == TensorProto.FLOAT:
                before = len(self.nodes)
                self.convolved(name, extents[1])
                nodes += self.nodes[before:]
                del self.nodes[before:]
                name = f"{name}_conv"
                self.owners[name] = self.owners[name.removesuffix("_conv")]
            elif kind in (TensorProto.BOOL, TensorProto.INT8):
                nodes.append(helper.make_node("Cast", [name], [f"{name}_int"], to=TensorProto.INT32))
                kind, name = TensorProto.INT32, f"{name}_int"
                self.owners[name] = self.owners[name.removesuffix("_int")]
            outputs.append(helper.make_tensor_value_info(name, kind, None))
        made = self._made(nodes, infos, outputs)
        inferred = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
        del made.graph.output[:]
        made.graph.output.extend(inferred.graph.output)
        return made

    def _made(self, nodes: Any, inputs: Any, outputs: Any) -> onnx.ModelProto:
        graph = helper.make_graph(nodes, "cases", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def network(cases: Sequence[Case], between: bool = False) -> tuple[onnx.ModelProto, Network]:
    """One model of all cases, which have one opset."""
    made = Network(cases[0].opset, between)
    for index, entry in enumerate(cases):
        made.add(entry, f"case{index}")
    return made.model(), made


def wrong(cases: Sequence[Case], folder: Path, between: bool = False, seed: int = 0) -> list[str]:
    """Compile the cases as one network; return those whose results are not onnxruntime's, and by how much."""
    model, described = network(cases, between)
    path = folder / "cases.onnx"
    onnx.save(model, path)
    made = mnv2c.compile(path, output=folder / "out")
    random = np.random.default_rng(seed)
    inputs = {name: port.draw(random) for name, port in described.inputs.items()}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in model.graph.output]
    wanted = session.run(names, inputs)
    found = mnv2c.load(made.directory)(*inputs.values())
    found = found if isinstance(found, tuple) else (found,)
    return [
        f"{described.owners[name]}: {fault}"
        for name, want, have in zip(names, wanted, found, strict=True)
        if (fault := difference(have, want, described.owners[name].rounding))
    ]


def difference(found: Array, wanted: Array, rounding: float) -> str:
    """Say how two results differ; nothing where they are equal within rounding."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return f"{found.dtype}{list(found.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    if wanted.dtype != np.float32:
        return "" if (found == wanted).all() else f"{int((found != wanted).sum())} of {wanted.size} differ"
    error = tolerance.relative_error(found, wanted)
    return "" if error <= rounding else f"error {error:.1e}"
