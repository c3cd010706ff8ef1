"""What a graph must be before anything is computed from it: known operators, within limits.

Everything here runs on the bare protobuf, before the C++ code of onnx, TVM or onnxruntime sees the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx import remedies
from mnv2c.from_onnx.extents import check_extents, tensor_bytes
from mnv2c.from_onnx.limits import (
    MAXIMUM_EXTENT,
    MAXIMUM_NAME,
    MAXIMUM_NODES,
    MAXIMUM_PORT_NAME,
    MAXIMUM_PORTS,
    MAXIMUM_WINDOW,
)
from mnv2c.from_onnx.naming import node_name, quoted, type_name
from mnv2c.from_onnx.operators import DOMAINS, OPERATORS, SMALLEST, TRAINING, UNLIMITED, UNLIMITED_PADS

if TYPE_CHECKING:
    import onnx

OPSETS = range(7, 27)
"""Versions of the default domain. Before 7, broadcasting was an attribute."""
TYPES = ("FLOAT", "INT64", "INT32", "UINT8", "INT8", "BOOL", "DOUBLE")
"""Element types that may occur; inputs and outputs must have one of the first four."""


def check_outline(model: onnx.ModelProto) -> None:
    """Raise OnnxError for a model that is too large to look at more closely, or that no inlining makes a plain one."""
    graph = model.graph
    if not graph.node:
        raise OnnxError("it holds no operators; it is empty, truncated, or no ONNX file")
    nodes = [*graph.node, *(node for function in model.functions for node in function.node)]
    if len(nodes) > MAXIMUM_NODES:
        raise OnnxError(f"it has {len(nodes):,} nodes; at most {MAXIMUM_NODES:,} are read")
    for role, values in (("inputs", graph.input), ("outputs", graph.output)):
        constants = len(graph.initializer) if role == "inputs" else 0  # old files list them among the inputs
        if len(values) > MAXIMUM_PORTS + constants:
            raise OnnxError(f"it has {len(values):,} {role}; at most {MAXIMUM_PORTS} are read")
    _check_opset(model)
    if graph.sparse_initializer:
        raise OnnxError("it has sparse initialisers; export the model with dense weights")
    constants_seen = set[str]()
    for tensor in graph.initializer:
        _check_length(tensor.name)
        if tensor.name in constants_seen:
            raise OnnxError(f"two initialisers are called {quoted(tensor.name)}; export the model again")
        constants_seen.add(tensor.name)
    for node in nodes:
        for name in (node.name, node.op_type, node.domain, *node.input, *node.output):
            _check_length(name)
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise OnnxError(f"{node_name(node)}: {_graph_remedy(node)}")


def _graph_remedy(node: onnx.NodeProto) -> str:
    found = remedies.of_operator(node.op_type)
    return found if "control flow" in found else "it holds a graph of its own, which is not supported"


def _check_length(name: str) -> None:
    if len(name) > MAXIMUM_NAME:
        raise OnnxError(f"the name {quoted(name)} has {len(name):,} letters; at most {MAXIMUM_NAME:,} are read")


def check_structure(model: onnx.ModelProto) -> None:
    """Raise OnnxError, naming node and operator, for what is not a plain graph of supported operators.

    Functions are inlined, nodes are in order (`mnv2c.from_onnx.plain`).
    """
    graph = model.graph
    if len(graph.node) > MAXIMUM_NODES:
        raise OnnxError(f"it has {len(graph.node):,} nodes; at most {MAXIMUM_NODES:,} are read")
    if not graph.node:
        raise OnnxError("it computes nothing: its outputs are its inputs, or constants")
    for node in graph.node:
        _check_operator(node)
        _check_attributes(node)
    for tensor in (*graph.initializer, *_constants(graph.node)):
        check_tensor(tensor)
    _check_training(graph)
    _check_outputs(graph)
    _check_names([*graph.input, *graph.output])


def _check_opset(model: onnx.ModelProto) -> None:
    versions = {entry.version for entry in model.opset_import if entry.domain in DOMAINS}
    if len(versions) != 1:
        found = f"several ({', '.join(map(str, sorted(versions)))})" if versions else "none"
        raise OnnxError(f"it must declare one opset of the default domain and declares {found}; export the model again")
    version = versions.pop()
    if version not in OPSETS:
        raise OnnxError(f"it needs opset {version}; export it with one of {OPSETS.start} to {OPSETS.stop - 1}")


def _check_operator(node: onnx.NodeProto) -> None:
    if node.domain not in DOMAINS:
        raise OnnxError(f"{node_name(node)} {remedies.of_domain(node)}")
    if node.op_type not in OPERATORS:
        raise OnnxError(f"{node_name(node)}: {remedies.of_operator(node.op_type)}")


def _check_attributes(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise OnnxError(f"{node_name(node)} holds a sparse tensor; export the model with dense weights")
        if attribute.HasField("tp") or attribute.type_protos or attribute.strings:
            raise OnnxError(f"{node_name(node)}: {quoted(attribute.name)[1:-1]} is of a kind that is not supported")
        if (node.op_type, attribute.name) in UNLIMITED:
            continue
        least, most = _bounds(node.op_type, attribute.name)
        for value in attribute.ints if attribute.type == attribute.INTS else [attribute.i]:
            if not least <= value <= most:
                name = quoted(attribute.name)[1:-1]
                raise OnnxError(f"{node_name(node)}: {name} has the value {value}; legal are {least:,} to {most:,}")


def _bounds(operator: str, attribute: str) -> tuple[int, int]:
    least = SMALLEST.get(attribute)
    if least is None or (attribute == "pads" and operator in UNLIMITED_PADS):
        return -MAXIMUM_EXTENT, MAXIMUM_EXTENT
    return least, MAXIMUM_EXTENT if attribute == "group" else MAXIMUM_WINDOW


def _check_training(graph: onnx.GraphProto) -> None:
    """Refuse what computes something else in training, and is not told at once that it is not trained."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in TRAINING:
            continue
        operand = TRAINING[node.op_type]
        name = node.input[operand] if operand < len(node.input) else ""
        if name and not (name in constants and not numpy_helper.to_array(constants[name]).any()):
            raise OnnxError(f"{node_name(node)} is in training mode; export the model for inference")


def _constants(nodes: Iterable[onnx.NodeProto]) -> list[onnx.TensorProto]:
    found = [attribute.t for node in nodes for attribute in node.attribute if attribute.HasField("t")]
    return [*found, *(tensor for node in nodes for attribute in node.attribute for tensor in attribute.tensors)]


def check_tensor(tensor: onnx.TensorProto) -> None:
    """Raise OnnxError unless a constant is of a known type, within limits, whole, and finite."""
    import numpy as np
    from onnx import numpy_helper

    name = quoted(tensor.name)
    if tensor.data_location == tensor.EXTERNAL:
        raise OnnxError(f"constant {name} lies outside the file; only initialisers may")
    kind = type_name(tensor.data_type)
    if kind not in TYPES:
        raise OnnxError(f"tensor {name} is of type {kind}; {remedies.of_type(kind)}")
    check_extents(name, tensor.dims, least=0)
    stored = len(tensor.raw_data) if tensor.HasField("raw_data") else None
    if stored is not None and stored != tensor_bytes(tensor):
        raise OnnxError(f"tensor {name} of shape {list(tensor.dims)} has {stored} bytes, not {tensor_bytes(tensor)}")
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise OnnxError(f"tensor {name} of shape {list(tensor.dims)} does not hold as many values") from error
    if kind in ("FLOAT", "DOUBLE") and values.size > 1 and not np.isfinite(values).all():
        raise OnnxError(f"tensor {name} holds NaN or infinity")


def _check_outputs(graph: onnx.GraphProto) -> None:
    made = {name for node in graph.node for name in node.output}
    for value in graph.output:
        if value.name not in made and value.name not in {entry.name for entry in (*graph.input, *graph.initializer)}:
            raise OnnxError(f"no node makes the output {quoted(value.name)}")


def _check_names(values: Iterable[onnx.ValueInfoProto]) -> None:
    """The names of inputs and outputs are written into C comments and strings, and each must be there once."""
    seen = set[str]()
    for value in values:
        name = value.name
        if not name or not name.isprintable() or "*/" in name or '"' in name or "\\" in name:
            raise OnnxError(f"the input or output {quoted(name)} has a name that C cannot hold; rename it")
        if len(name) > MAXIMUM_PORT_NAME:
            raise OnnxError(f"the input or output {quoted(name)} has more than {MAXIMUM_PORT_NAME} letters; rename it")
        if name in seen:
            raise OnnxError(f"two inputs or outputs are called {quoted(name)}; rename one of them")
        seen.add(name)
