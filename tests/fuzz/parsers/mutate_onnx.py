"""Damage to ONNX files: to any field of the protobuf tree, and by operators that are put between others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, defs, helper

from mnv2c.from_onnx.operators import OPERATORS
from tests.foreign.mutations import MUTATIONS
from tests.fuzz.parsers.nasty import FLOATS, NUMBERS, TEXTS, damage_bytes

MOST_BYTES = 60_000
"""Of a mutated file that is damaged further; attributes and functions can make it grow."""
OPERATOR_NAMES = sorted(OPERATORS)


def mutate_onnx(content: bytes, random: Random) -> bytes:
    """Damage an ONNX file."""
    if random.random() < 0.1:
        return damage_bytes(content, random)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        return damage_bytes(content, random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(EDITS)(model, random)
    made = bytes(model.SerializeToString())
    return made if len(made) <= MOST_BYTES else damage_bytes(content, random)


def _messages(root: Message) -> list[Message]:
    found, waiting = [], [root]
    while waiting:
        message = waiting.pop()
        found.append(message)
        for field, held in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting += held if _repeated(field) else [held]
    return found


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED


def any_field(model: onnx.ModelProto, random: Random) -> None:
    """Change a field of a message anywhere in the tree, be it set or not."""
    message: Any = random.choice(_messages(model))
    present = [field for field, _ in message.ListFields()]
    field = random.choice(present if present and random.random() < 0.8 else message.DESCRIPTOR.fields)
    if _repeated(field):
        _change_list(getattr(message, field.name), field, random)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        if random.random() < 0.5:
            message.ClearField(field.name)
        else:
            getattr(message, field.name).SetInParent()
    elif random.random() < 0.1:
        message.ClearField(field.name)
    else:
        _assign(lambda held: setattr(message, field.name, held), field, getattr(message, field.name), random)


def _change_list(held: Any, field: Any, random: Random) -> None:
    kind = random.randrange(5)
    if not held or kind == 0:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            held.add()
        else:
            _assign(held.append, field, field.default_value or _zero(field), random)
        return
    at = random.randrange(len(held))
    if kind == 1:
        del held[at]
    elif kind == 2 and len(held) < 64:
        held.extend([held[at]] * random.choice((1, 1, 2, 8)))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        held[at].CopyFrom(random.choice(held))
    else:
        _assign(lambda value: held.__setitem__(at, value), field, held[at], random)


def _zero(field: Any) -> Any:
    return {FieldDescriptor.TYPE_STRING: "", FieldDescriptor.TYPE_BYTES: b""}.get(field.type, 0)


def _assign(put: Callable[[Any], None], field: Any, old: Any, random: Random) -> None:
    """Give a field another value of its type; what the type cannot hold is left out."""
    value: Any
    if field.type == FieldDescriptor.TYPE_BYTES:
        value = random.choice(
            (old[:-1], old[: len(old) // 2], old + b"\0" * 4, b"\xff" * len(old), damage_bytes(old, random))
        )
    elif field.type == FieldDescriptor.TYPE_STRING:
        value = random.choice((*TEXTS, old + "_", *OPERATOR_NAMES[:8])).encode(errors="replace").decode()
    elif isinstance(old, float):
        value = random.choice((*FLOATS, old * 2, -old))
    else:
        value = random.choice((old + 1, old - 1, old * 2, random.randrange(32), random.choice(NUMBERS)))
    try:
        put(value)
    except (ValueError, OverflowError):
        return


def rewire(model: onnx.ModelProto, random: Random) -> None:
    """Let a node read another value that the graph holds, so that shapes and ranks meet that do not fit."""
    graph = model.graph
    if graph.node:
        node = random.choice(graph.node)
        if node.input:
            node.input[random.randrange(len(node.input))] = random.choice(_values(graph))


def _values(graph: onnx.GraphProto) -> list[str]:
    made = [name for node in graph.node for name in node.output]
    return [*made, *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer), ""]


def other_operator(model: onnx.ModelProto, random: Random) -> None:
    """Let a node be another supported operator, with or without its attributes."""
    if model.graph.node:
        node = random.choice(model.graph.node)
        node.op_type = random.choice(OPERATOR_NAMES)
        if random.random() < 0.7:
            del node.attribute[:]
            node.attribute.extend(_attributes(node.op_type, model, random))


def insert_operator(model: onnx.ModelProto, random: Random) -> None:
    """Put a supported operator into an edge, its other inputs small constants or values of the graph."""
    graph = model.graph
    if not graph.node:
        return
    at = random.randrange(len(graph.node))
    node = graph.node[at]
    if not node.output:
        return
    operator = random.choice(OPERATOR_NAMES)
    inside = f"fuzz_{len(graph.node)}_{random.randrange(1000)}"
    inputs = [inside]
    for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
        inputs.append(_constant(graph, random) if random.random() < 0.7 else random.choice(_values(graph)))
    made = helper.make_node(operator, inputs, [node.output[0]])
    made.attribute.extend(_attributes(operator, model, random))
    node.output[0] = inside
    graph.node.insert(at + 1, made)


def _attributes(operator: str, model: onnx.ModelProto, random: Random) -> list[onnx.AttributeProto]:
    """Some of the operator's attributes, their values of the right type."""
    try:
        schema = defs.get_schema(operator, max_inclusive_version=_opset(model))
    except (defs.SchemaError, OverflowError, TypeError):
        return []
    found = []
    for name, attribute in schema.attributes.items():
        kind = attribute.type
        value: Any = None
        if not attribute.required and random.random() < 0.5:
            continue
        if kind == defs.OpSchema.AttrType.INT:
            value = random.choice((0, 1, -1, 2, 3, random.choice(NUMBERS)))
        elif kind == defs.OpSchema.AttrType.INTS:
            value = [random.choice((0, 1, 1, 2, 3, -1)) for _ in range(random.choice((1, 2, 2, 4, 4, 8)))]
        elif kind == defs.OpSchema.AttrType.FLOAT:
            value = random.choice((*FLOATS, 0.1))
        elif kind == defs.OpSchema.AttrType.STRING:
            value = random.choice(
                ("linear", "nearest", "constant", "edge", "reflect", "DCR", "CRD", "SAME_UPPER", "none", "")
            )
        elif kind == defs.OpSchema.AttrType.TENSOR:
            value = _tensor("", random)
        if value is not None:
            try:
                found.append(helper.make_attribute(name, value))
            except (ValueError, TypeError, OverflowError):
                continue
    return found


def _opset(model: onnx.ModelProto) -> int:
    return max([entry.version for entry in model.opset_import if 0 < entry.version < 30], default=17)


def _tensor(name: str, random: Random) -> onnx.TensorProto:
    shape = random.choice(([], [1], [1], [2], [4], [8], [1, 1], [1, 8, 1, 1], [2, 2], [0], [8, 8, 1, 1]))
    count = 1
    for extent in shape:
        count *= extent
    if random.random() < 0.5:
        values: list[Any] = [random.choice((0, 1, 2, 3, -1, 8, random.choice(NUMBERS))) for _ in range(count)]
        whole = [max(-(2**63), min(2**63 - 1, value)) for value in values]
        return helper.make_tensor(name, TensorProto.INT64, shape, whole)
    return helper.make_tensor(
        name, TensorProto.FLOAT, shape, [random.choice((0.0, 1.0, 6.0, 0.5, -1.0)) for _ in range(count)]
    )


def _constant(graph: onnx.GraphProto, random: Random) -> str:
    name = f"fuzz_constant_{len(graph.initializer)}_{random.randrange(1000)}"
    graph.initializer.append(_tensor(name, random))
    return name


def function_bomb(model: onnx.ModelProto, random: Random) -> None:
    """Functions that call each other or themselves: a short file that inlining makes long, or endless."""
    levels, calls = random.choice((1, 2, 3, 6, 20)), random.choice((1, 2, 4, 10))
    domain = random.choice(("fuzz", "fuzz", "", "ai.onnx"))
    opsets = [helper.make_opsetid("", _opset(model)), helper.make_opsetid(domain, 1)]
    loops = random.random() < 0.2
    for level in range(levels):
        inner = f"f{(level + 1) % levels}" if loops or level + 1 < levels else "Relu"
        where = domain if inner != "Relu" else ""
        names = ["x", *(f"t{index}" for index in range(calls - 1)), "y"]
        nodes = [helper.make_node(inner, [a], [b], domain=where) for a, b in pairwise(names)]
        model.functions.append(helper.make_function(domain, f"f{level}", ["x"], ["y"], nodes, opsets))
    if model.graph.node:
        node = random.choice(model.graph.node)
        node.op_type, node.domain = "f0", domain
        if random.random() < 0.8:
            del node.input[1:], node.attribute[:]
    model.opset_import.append(opsets[1])


def long_chain(model: onnx.ModelProto, random: Random) -> None:
    """Some hundred equal operators one after another."""
    graph = model.graph
    if not graph.node or not graph.node[0].output:
        return
    operator, count = random.choice(("Relu", "Neg", "Identity", "Abs", "Sigmoid")), random.choice((10, 50, 300))
    end = graph.node[0].output[0]
    graph.node[0].output[0] = "chain_0"
    made = [helper.make_node(operator, [f"chain_{at}"], [f"chain_{at + 1}"]) for at in range(count)]
    made[-1].output[0] = end
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([kept[0], *made, *kept[1:]])


def by_kind(model: onnx.ModelProto, random: Random) -> None:
    """One of the mutations that the tests of foreign files have; those that find nothing to change change nothing."""
    name = random.choice([name for name in MUTATIONS if name not in ("flip", "flip structure", "truncate", "splice")])
    try:
        changed = MUTATIONS[name](model.SerializeToString(), random)
        model.ParseFromString(changed)
    except (IndexError, ValueError, TypeError, DecodeError):
        return


EDITS: tuple[Callable[[onnx.ModelProto, Random], None], ...] = (
    *[any_field] * 8,
    *[by_kind] * 4,
    *[rewire] * 2,
    *[other_operator] * 3,
    *[insert_operator] * 6,
    function_bomb,
    long_chain,
)
"""Each as often as it is to be drawn."""
