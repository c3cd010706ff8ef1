"""A model's own functions, inlined; how large that would be is counted before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.limits import MAXIMUM_CALL_DEPTH, MAXIMUM_INLINED_BYTES, MAXIMUM_NODES
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    import onnx

Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Expansion:
    """What inlining makes of a call: nodes, bytes, and how deep calls are nested within."""

    nodes: int
    size: int
    depth: int


def inline_functions(model: onnx.ModelProto) -> bool:
    """Inline the model's functions; return whether there were any.

    OnnxError where one calls itself, or where together they would be over the limits.
    """
    if not model.functions:
        return False
    import onnx.inliner

    functions = {_key(function): function for function in model.functions}
    if len(functions) < len(model.functions):
        raise OnnxError("two of its functions have the same name; export the model again")
    _check(model, functions)
    try:
        model.CopyFrom(onnx.inliner.inline_local_functions(model))
    except Exception as error:  # the C++ code raises what it likes
        raise OnnxError("its functions cannot be inlined; export the model without functions") from error
    return True


def _key(entry: onnx.FunctionProto | onnx.NodeProto) -> Key:
    name = entry.op_type if hasattr(entry, "op_type") else entry.name
    return "" if entry.domain == "ai.onnx" else entry.domain, name, entry.overload


def _check(model: onnx.ModelProto, functions: dict[Key, onnx.FunctionProto]) -> None:
    known: dict[Key, _Expansion] = {}
    for key in _callees_first(functions):
        known[key] = _expansion(functions[key].node, functions[key].ByteSize(), known)
    whole = _expansion(model.graph.node, 0, known)
    if whole.nodes > MAXIMUM_NODES:
        raise OnnxError(f"its functions make more than {MAXIMUM_NODES:,} nodes when they are inlined")
    if whole.size > MAXIMUM_INLINED_BYTES:
        raise OnnxError(f"its functions make more than {MAXIMUM_INLINED_BYTES:,} bytes when they are inlined")
    if whole.depth > MAXIMUM_CALL_DEPTH:
        raise OnnxError(f"its functions call each other more than {MAXIMUM_CALL_DEPTH} deep")


def _expansion(nodes: Iterable[onnx.NodeProto], size: int, known: dict[Key, _Expansion]) -> _Expansion:
    count, depth = 0, 0
    for node in nodes:
        called = known.get(_key(node), _Expansion(1, 0, -1))
        names = sum(map(len, (*node.input, *node.output, node.name)))  # are written into every node of the callee
        count, depth = count + called.nodes, max(depth, called.depth + 1)
        size += called.size + names * called.nodes
    return _Expansion(count, size, depth)


def _callees_first(functions: dict[Key, onnx.FunctionProto]) -> list[Key]:
    """Order the functions so that each comes behind those it calls; OnnxError where one comes to call itself."""
    done, order = set[Key](), list[Key]()
    for start in functions:
        path: dict[Key, Iterator[Key]] = {} if start in done else {start: _callees(functions, start)}
        while path:
            current = next(reversed(path))
            for callee in path[current]:
                if callee in path:
                    raise OnnxError(f"its function {quoted(callee[1])} calls itself; export the model again")
                if callee not in done:
                    path[callee] = _callees(functions, callee)
                    break
            else:
                del path[current]
                done.add(current)
                order.append(current)
    return order


def _callees(functions: dict[Key, onnx.FunctionProto], key: Key) -> Iterator[Key]:
    return (found for node in functions[key].node if (found := _key(node)) in functions)
