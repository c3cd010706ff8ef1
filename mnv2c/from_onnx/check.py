"""What a graph must be before anything is computed from it: known operators, in order, within limits.

Everything here runs on the bare protobuf, before the C++ code of onnx, TVM or onnxruntime sees the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError, nearest
from mnv2c.from_onnx.external import tensor_bytes
from mnv2c.from_onnx.naming import node_name, quoted
from mnv2c.from_onnx.operators import DOMAINS, MAXIMUM_EXTENT, OPERATORS, SMALLEST, UNLIMITED_PADS, UNREAD

if TYPE_CHECKING:
    import onnx

MAXIMUM_NODES = 20_000
MAXIMUM_RANK = 8
MAXIMUM_ELEMENTS = 1 << 27
"""Elements of one tensor: 512 MB of float32; also keeps every index of a kernel far within 32 bits."""
OPSETS = range(7, 27)
"""Versions of the default domain. Before 7, broadcasting was an attribute."""
TYPES = ("FLOAT", "INT64", "INT32", "UINT8", "INT8", "BOOL")
"""Element types that may occur; inputs and outputs must have one of the first four."""


def check_structure(model: onnx.ModelProto) -> None:
    """Raise OnnxError, naming node and operator, for what is not a plain graph of supported operators."""
    graph = model.graph
    if not graph.node:
        raise OnnxError("it holds no operators; it is empty, truncated, or no ONNX file")
    if len(graph.node) > MAXIMUM_NODES:
        raise OnnxError(f"it has {len(graph.node):,} nodes; at most {MAXIMUM_NODES:,} are read")
    _check_opset(model)
    if graph.sparse_initializer:
        raise OnnxError("it has sparse initialisers; export the model with dense weights")
    for node in graph.node:
        _check_operator(node)
        _check_attributes(node)
    for tensor in (*graph.initializer, *_constants(graph.node)):
        check_tensor(tensor)
    _check_order(graph)
    _check_names([*graph.input, *graph.output])


def _check_opset(model: onnx.ModelProto) -> None:
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if len(versions) != 1:
        raise OnnxError("it declares no opset of the default domain, or several; export the model again")
    if versions[0] not in OPSETS:
        raise OnnxError(f"it needs opset {versions[0]}; export it with one of {OPSETS.start} to {OPSETS.stop - 1}")


def _check_operator(node: onnx.NodeProto) -> None:
    if node.domain not in DOMAINS:
        raise OnnxError(f"{node_name(node)} is of the domain {quoted(node.domain)}; only standard operators are read")
    if node.op_type not in OPERATORS:
        raise OnnxError(f"{node_name(node)}: this operator is not supported{nearest(node.op_type, OPERATORS)}")


def _check_attributes(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise OnnxError(f"{node_name(node)} holds a graph of its own, which is not supported")
        only = UNREAD.get((node.op_type, attribute.name))
        if only is not None and only != (attribute.i if isinstance(only, int) else attribute.s):
            raise OnnxError(f"{node_name(node)}: its {attribute.name} is not supported; export the model without it")
        least = SMALLEST.get(attribute.name)
        if least is None or (attribute.name == "pads" and node.op_type in UNLIMITED_PADS):
            continue
        for value in attribute.ints if attribute.type == attribute.INTS else [attribute.i]:
            if not least <= value <= MAXIMUM_EXTENT:
                raise OnnxError(f"{node_name(node)}: {attribute.name} has the illegal value {value}")


def _constants(nodes: Iterable[onnx.NodeProto]) -> list[onnx.TensorProto]:
    return [attribute.t for node in nodes for attribute in node.attribute if attribute.HasField("t")]


def check_tensor(tensor: onnx.TensorProto) -> None:
    """Raise OnnxError unless a constant is of a known type, within limits, whole, and finite."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    name = quoted(tensor.name)
    if tensor.data_location == tensor.EXTERNAL:
        raise OnnxError(f"constant {name} lies outside the file; only initialisers may")
    kind = TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in TensorProto.DataType.values() else "?"
    if kind not in TYPES:
        raise OnnxError(f"tensor {name} is of type {kind}; export the model in float32")
    check_extents(name, tensor.dims, least=0)
    stored = len(tensor.raw_data) if tensor.HasField("raw_data") else None
    if stored is not None and stored != tensor_bytes(tensor):
        raise OnnxError(f"tensor {name} of shape {list(tensor.dims)} has {stored} bytes, not {tensor_bytes(tensor)}")
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise OnnxError(f"tensor {name} of shape {list(tensor.dims)} does not hold as many values") from error
    if kind == "FLOAT" and values.size > 1 and not np.isfinite(values).all():
        raise OnnxError(f"tensor {name} holds NaN or infinity")


def check_extents(name: str, extents: Sequence[int], least: int = 1) -> None:
    """Raise OnnxError unless a shape is within the limits; nothing is allocated for it before."""
    if len(extents) > MAXIMUM_RANK:
        raise OnnxError(f"tensor {name} has {len(extents)} dimensions; at most {MAXIMUM_RANK} are supported")
    elements = 1
    for extent in extents:
        if extent < least:
            raise OnnxError(f"tensor {name} has the illegal shape {list(extents)}")
        elements *= extent
    if elements > MAXIMUM_ELEMENTS:
        raise OnnxError(f"tensor {name} of shape {list(extents)} has more than {MAXIMUM_ELEMENTS:,} elements")


def _check_order(graph: onnx.GraphProto) -> None:
    """Every value is made once, before it is read; a cycle has no such order."""
    known = {"", *(tensor.name for tensor in graph.initializer)}
    known.update(value.name for value in graph.input)
    for node in graph.node:
        for name in node.input:
            if name not in known:
                raise OnnxError(
                    f"{node_name(node)} reads {quoted(name)}, which nothing before it makes: "
                    f"the graph is cyclic, not in order, or incomplete"
                )
        for name in filter(None, node.output):
            if name in known:
                raise OnnxError(f"{node_name(node)} makes {quoted(name)}, which exists already")
            known.add(name)
    for value in graph.output:
        if value.name not in known:
            raise OnnxError(f"no node makes the output {quoted(value.name)}")


def _check_names(values: Iterable[onnx.ValueInfoProto]) -> None:
    """The names of inputs and outputs are written into C comments and strings."""
    for value in values:
        name = value.name
        if not name or not name.isprintable() or "*/" in name or '"' in name or "\\" in name:
            raise OnnxError(f"the input or output {quoted(name)} has a name that C cannot hold; rename it")
