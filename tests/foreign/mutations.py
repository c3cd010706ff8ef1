"""Damages ONNX files in the ways that disks, networks, careless tools and attackers do."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import onnx
from onnx import TensorProto, helper

WORDS = ("", "Conv", "Relu", "Frobnicate", "If", "Loop", "MatMul", "Softmax", "Tile", "image", "\n", "*/", "é" * 300)
NUMBERS = (-(2**63), -1, 0, 1, 2, 3, 7, 16, 255, 2**16, 2**31 - 1, 2**31, 2**40, 2**63 - 1)


def flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 4, 32))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def flip_structure(content: bytes, random: Random) -> bytes:
    """Flips outside of the weights, where most of the bytes are."""
    model = onnx.load_model_from_string(content)
    bare = bytearray(content)
    places = [index for index in range(len(bare)) if index < 4000 or index > len(bare) - 600]
    assert model.graph.node
    for _ in range(random.choice((1, 2, 8))):
        bare[random.choice(places)] = random.randrange(256)
    return bytes(bare)


def truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def splice(content: bytes, random: Random) -> bytes:
    start, other = random.randrange(len(content)), random.randrange(len(content))
    length = random.randrange(1, 200)
    return content[:start] + content[other : other + length] + content[start + random.choice((0, length)) :]


def edited(edit: Callable[[onnx.ModelProto, Random], Any]) -> Callable[[bytes, Random], bytes]:
    def mutate(content: bytes, random: Random) -> bytes:
        model = onnx.load_model_from_string(content)
        edit(model, random)
        return bytes(model.SerializeToString())

    return mutate


def rename_operator(model: onnx.ModelProto, random: Random) -> None:
    random.choice(model.graph.node).op_type = random.choice(WORDS)


def rename_value(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice([node for node in model.graph.node if node.input])
    names = [name for other in model.graph.node for name in (*other.input, *other.output)]
    side = random.choice((node.input, node.output))
    side[random.randrange(len(side))] = random.choice((*names, *WORDS))


def drop_or_double(model: onnx.ModelProto, random: Random) -> None:
    part = random.choice((model.graph.node, model.graph.initializer, model.graph.input, model.graph.output))
    index = random.randrange(len(part))
    if random.random() < 0.5:
        del part[index]
    else:
        part.add().CopyFrom(part[index])


def change_attribute(model: onnx.ModelProto, random: Random) -> None:
    node = random.choice([node for node in model.graph.node if node.attribute])
    attribute = random.choice(node.attribute)
    number = random.choice(NUMBERS)
    if attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = number
    elif random.random() < 0.5:
        attribute.i = number
    else:
        attribute.CopyFrom(helper.make_attribute(attribute.name, random.choice([float("nan"), "text", [1, 2, 3], 1.5])))


def change_dims(model: onnx.ModelProto, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    if tensor.dims and random.random() < 0.7:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(NUMBERS)
    else:
        tensor.dims.append(random.choice(NUMBERS))


def change_type(model: onnx.ModelProto, random: Random) -> None:
    random.choice(model.graph.initializer).data_type = random.choice((*range(-1, 24), TensorProto.STRING))


def change_weights(model: onnx.ModelProto, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    raw = bytearray(tensor.raw_data)
    for _ in range(4):
        raw[random.randrange(len(raw))] = random.choice((0x7F, 0xFF, 0x80))
    tensor.raw_data = bytes(raw)


def change_input(model: onnx.ModelProto, random: Random) -> None:
    value = random.choice((*model.graph.input, *model.graph.output))
    tensor = value.type.tensor_type
    dimension = random.choice(tensor.shape.dim)
    if random.random() < 0.2:
        tensor.elem_type = random.randrange(24)
    elif random.random() < 0.3:
        dimension.dim_param = "height"
    else:
        dimension.dim_value = random.choice(NUMBERS)


def change_opset(model: onnx.ModelProto, random: Random) -> None:
    model.opset_import[0].version = random.choice(NUMBERS)
    model.opset_import[0].domain = random.choice(("", "", "ai.onnx", "com.example"))


def make_external(model: onnx.ModelProto, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    tensor.data_location = TensorProto.EXTERNAL
    place = random.choice(("/etc/passwd", "../secret", "a/b", "", "weights.bin", "..", "\0", "C:\\x"))
    for key, value in {"location": place, "offset": random.choice(("-1", "x", "0")), "length": "8"}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def shuffle_nodes(model: onnx.ModelProto, random: Random) -> None:
    nodes = list(model.graph.node)
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


MUTATIONS: dict[str, Callable[[bytes, Random], bytes]] = {
    "flip": flip,
    "flip structure": flip_structure,
    "truncate": truncate,
    "splice": splice,
    **{
        edit.__name__: edited(edit)
        for edit in (
            rename_operator,
            rename_value,
            drop_or_double,
            change_attribute,
            change_dims,
            change_type,
            change_weights,
            change_input,
            change_opset,
            make_external,
            shuffle_nodes,
        )
    },
}
