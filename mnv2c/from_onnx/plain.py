"""One plain form of what files write in several: constants apart from inputs, nodes in order, nothing unused."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.naming import node_name, quoted
from mnv2c.from_onnx.operators import DOMAINS

if TYPE_CHECKING:
    import onnx

CONSTANTS_APART = 4
"""The version of the format from which on constants need not stand among the inputs."""


def make_plain(model: onnx.ModelProto) -> bool:
    """Bring a model without functions into the plain form; return whether it was changed. OnnxError for a cycle."""
    steps = (_one_opset, _constants_are_no_inputs, _constants_are_no_nodes, _sort, _drop_unused, _names_once)
    return any([step(model) for step in steps])


def _one_opset(model: onnx.ModelProto) -> bool:
    """Keep one entry where the default domain is imported twice, alike, under both of its names."""
    kept, seen = list[tuple[str, int]](), set[tuple[str, int]]()
    for entry in model.opset_import:
        key = "" if entry.domain in DOMAINS else entry.domain, entry.version
        if key not in seen:
            kept.append((entry.domain, entry.version))
            seen.add(key)
    changed = len(kept) < len(model.opset_import)
    if changed:
        del model.opset_import[:]
        for domain, version in kept:
            model.opset_import.add(domain=domain, version=version)
    return changed


def _constants_are_no_inputs(model: onnx.ModelProto) -> bool:
    """Take constants out of the inputs. Until version 4 they had to be there; later it means a default value.

    onnxruntime, too, takes the constant where a caller gives nothing else.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    changed = len(inputs) < len(graph.input)
    if changed:
        copies = type(graph)()
        copies.input.extend(inputs)
        graph.ClearField("input")
        graph.input.extend(copies.input)
        model.ir_version = max(model.ir_version, CONSTANTS_APART)
    return changed


def _constants_are_no_nodes(model: onnx.ModelProto) -> bool:
    """Replace every Constant by an initialiser, whichever of its attributes holds the value."""
    graph, kept = model.graph, type(model.graph)()
    taken = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    for node in graph.node:
        tensor = _constant(node)
        if tensor is None or node.output[0] in taken:
            kept.node.append(node)
            continue
        tensor.name = node.output[0]
        taken.add(tensor.name)
        graph.initializer.append(tensor)
    changed = len(kept.node) < len(graph.node)
    if changed:
        graph.ClearField("node")
        graph.node.extend(kept.node)
        model.ir_version = max(model.ir_version, CONSTANTS_APART)
    return changed


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Return the value of a Constant; None for other nodes, and for sparse values and strings, which are refused."""
    from onnx import TensorProto, helper

    if node.op_type != "Constant" or node.domain not in DOMAINS or len(node.output) != 1 or len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    if attribute.name == "value" and attribute.HasField("t"):
        tensor = TensorProto()
        tensor.CopyFrom(attribute.t)
        return tensor
    kinds = {
        "value_float": (TensorProto.FLOAT, [], [attribute.f]),
        "value_int": (TensorProto.INT64, [], [attribute.i]),
        "value_floats": (TensorProto.FLOAT, [len(attribute.floats)], attribute.floats),
        "value_ints": (TensorProto.INT64, [len(attribute.ints)], attribute.ints),
    }
    return helper.make_tensor("", *kinds[attribute.name]) if attribute.name in kinds else None


def _sort(model: onnx.ModelProto) -> bool:
    """Order the nodes so that each comes behind those it reads, as they stand where possible."""
    graph = model.graph
    makers: dict[str, int] = {}
    known = {"", *(tensor.name for tensor in graph.initializer), *(value.name for value in graph.input)}
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in known or name in makers:
                raise OnnxError(f"{node_name(node)} makes {quoted(name)}, which exists already")
            makers[name] = index
    needs = [_makers(node, known, makers) for node in graph.node]
    order = _order(needs)
    if len(order) < len(needs):
        stuck = graph.node[min(set(range(len(needs))) - set(order))]
        name = next(name for name in stuck.input if name in makers and makers[name] not in set(order))
        raise OnnxError(f"{node_name(stuck)} reads {quoted(name)}, which comes from itself: the graph is cyclic")
    if order == list(range(len(needs))):
        return False
    copy = type(graph)()
    copy.node.extend(graph.node[index] for index in order)
    graph.ClearField("node")
    graph.node.extend(copy.node)
    return True


def _makers(node: onnx.NodeProto, known: set[str], makers: dict[str, int]) -> set[int]:
    lost = next((name for name in node.input if name not in known and name not in makers), None)
    if lost is not None:
        raise OnnxError(f"{node_name(node)} reads {quoted(lost)}, which nothing makes: the graph is incomplete")
    return {makers[name] for name in node.input if name in makers}


def _order(needs: list[set[int]]) -> list[int]:
    """Return the indexes, each behind its needs, the smallest that is ready first; those on a cycle are left out."""
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for index, sources in enumerate(needs):
        for source in sources:
            readers[source].append(index)
    missing = [len(sources) for sources in needs]
    ready = [index for index, count in enumerate(missing) if not count]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, reader)
    return order


def _drop_unused(model: onnx.ModelProto) -> bool:
    """Remove the nodes and constants that lead to no output: onnxruntime does not run them either."""
    graph = model.graph
    wanted = {value.name for value in graph.output}
    kept: list[int] = []
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        if wanted & set(filter(None, node.output)):
            wanted.update(node.input)
            kept.append(index)
    unused = [index for index, tensor in enumerate(graph.initializer) if tensor.name not in wanted]
    dead = sorted(set(range(len(graph.node))) - set(kept))
    for index in reversed(dead):
        del graph.node[index]
    for index in reversed(unused):
        del graph.initializer[index]
    return bool(dead or unused)


def _names_once(model: onnx.ModelProto) -> bool:
    """Take away the names of nodes that several share: nothing depends on them, but onnxruntime refuses the file."""
    seen = Counter(node.name for node in model.graph.node if node.name)
    shared = [node for node in model.graph.node if seen[node.name] > 1]
    for node in shared:
        node.ClearField("name")
    return bool(shared)
