"""What is over a limit is refused in one line, before it costs time or memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mnv2c.errors import OnnxError
from mnv2c.from_onnx import limits
from mnv2c.from_onnx.read import parse_onnx
from tests.foreign.test_many_nodes import chain
from tests.to_relax.graphs import model, random

node = helper.make_node


@pytest.fixture(autouse=True)
def neither_time_nor_memory() -> Iterator[None]:
    begun, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - begun < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 1 << 20  # KiB


def refusal(made: onnx.ModelProto | bytes) -> str:
    content = made if isinstance(made, bytes) else made.SerializeToString()
    with pytest.raises(OnnxError) as error:
        parse_onnx(content, Path("."))
    text = str(error.value)
    assert text.isprintable()
    assert len(text) < 600
    return text


def integers(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def plain(nodes: list[onnx.NodeProto], shape: tuple[int, ...], opset: int = 17, **constants: Any) -> onnx.ModelProto:
    made = model(nodes, {"x": shape}, {"y": ()}, constants, opset, check=False)
    made.graph.output[0].type.tensor_type.ClearField("shape")
    return made


WEIGHT = {"w": random(1, 1, 1, 1)}
SHAPES = {
    "pads": (
        plain([node("Conv", ["x", "w"], ["y"], pads=[5000] * 4)], (1, 1, 1, 1), **WEIGHT),
        "pads has the value 5000",
    ),
    "pads of all": (
        plain([node("Conv", ["x", "w"], ["y"], pads=[2**62] * 4)], (1, 1, 1, 1), **WEIGHT),
        "pads has the value",
    ),
    "stride": (
        plain([node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1], strides=[2**40, 1])], (1, 1, 8, 8)),
        "strides",
    ),
    "dilation": (plain([node("Conv", ["x", "w"], ["y"], dilations=[9999, 1])], (1, 1, 8, 8), **WEIGHT), "dilations"),
    "window": (
        plain([node("AveragePool", ["x"], ["y"], kernel_shape=[0, 4])], (1, 1, 8, 8)),
        "kernel_shape has the value 0",
    ),
    "many pads": (
        plain(
            [
                node("MaxPool", ["x"], ["a"], kernel_shape=[1024] * 2, pads=[1023] * 4),
                *(node("Conv", [f"{chr(97 + i)}", "w"], [f"{chr(98 + i)}"], pads=[1024] * 4) for i in range(8)),
                node("Relu", ["i"], ["y"]),
            ],
            (1, 1, 8, 8),
            **WEIGHT,
        ),
        "has more than 67,108,864 elements",
    ),
    "expand": (
        plain([node("Expand", ["x", "s"], ["y"])], (1, 1), s=integers(2**31, 2**31)),
        "operand 1 holds more than",
    ),
    "tile": (
        plain(
            [node("Expand", ["x", "s"], ["a"]), node("Expand", ["a", "t"], ["y"])],
            (1, 1, 1),
            s=integers(2**13, 1, 1),
            t=integers(2**13, 2**13, 2**13),
        ),
        "has more than 67,108,864 elements",
    ),
    "fill": (
        plain([node("ConstantOfShape", ["s"], ["z"]), node("Add", ["x", "z"], ["y"])], (1,), s=integers(2**40)),
        "its operands are not constant",
    ),
    "range": (
        plain(
            [node("Range", ["a", "b", "c"], ["r"]), node("Cast", ["r"], ["f"], to=1), node("Add", ["x", "f"], ["y"])],
            (1,),
            a=np.int64(-(2**55)),
            b=np.int64(4),
            c=np.int64(1),
        ),
        "(Range)",
    ),
    "resize": (
        plain([node("Resize", ["x", "", "s"], ["y"])], (1, 1, 8, 8), s=np.float32([1, 1, 1e9, 1e9])),
        "operand 2",
    ),
    "not a scale": (
        plain([node("Resize", ["x", "", "s"], ["y"])], (1, 1, 8, 8), s=np.float32([1, 1, -1, 1])),
        "has the illegal shape",
    ),
    "pad": (
        plain([node("Pad", ["x", "s"], ["y"])], (1, 8), s=integers(0, 2**62, 0, 2**62)),
        "operand 1 holds more than",
    ),
    "old pad": (plain([node("Pad", ["x"], ["y"], pads=[0, 2**62, 0, 2**62])], (1, 8), 9), "pads has the value"),
    "reshape": (
        plain([node("Reshape", ["x", "s"], ["y"])], (1, 8), s=integers(2**32, 2**32)),
        "operand 1 holds more than",
    ),
    "dimensions": (
        plain([node("Reshape", ["x", "s"], ["y"])], (1, 1), s=integers(*[1] * 40)),
        "for too many dimensions",
    ),
    "rank": (plain([node("Reshape", ["x", "s"], ["y"])], (1, 1), s=integers(*[1] * 9)), "9 dimensions; at most 8"),
    "axis": (plain([node("Softmax", ["x"], ["y"], axis=2**62)], (1, 8)), "axis has the value"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_bounded(name: str) -> None:
    made, reason = SHAPES[name]
    assert reason in refusal(made)


def test_a_shape_that_is_an_input_makes_no_list_as_long_as_an_extent() -> None:
    made = plain([node("Reshape", ["x", "s"], ["y"])], (1, 8))
    made.graph.input.append(helper.make_tensor_value_info("s", TensorProto.INT64, [2**26]))
    assert "holds 67,108,864 numbers, for too many dimensions" in refusal(made)


def test_the_work_is_bounded() -> None:
    heavy = plain([node("Conv", ["x", "w"], ["y"], pads=[50] * 4)], (1, 32, 1024, 1024), w=random(32, 32, 101, 101))
    assert "takes more than 1,099,511,627,776 multiply-adds" in refusal(heavy)
    sums = [node("Add", [f"v{i}" if i else "x", "x"], [f"v{i + 1}"]) for i in range(40)]
    sums[-1].output[0] = "y"
    assert "computes more than 2,147,483,648 elements" in refusal(plain(sums, (1, 2**26)))


def functions(count: int, calls: int, last: list[onnx.NodeProto]) -> onnx.ModelProto:
    """Functions f0, f1 …, each of which calls the next one so often."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    made = plain([node("f0", ["x"], ["y"], domain="local")], (1, 8))
    made.opset_import.add(domain="local", version=1)
    for index in range(count):
        nodes = [node(f"f{index + 1}", [f"t{i}" if i else "a"], [f"t{i + 1}"], domain="local") for i in range(calls)]
        nodes[-1].output[0] = "b"
        nodes = last if index == count - 1 else nodes
        made.functions.append(helper.make_function("local", f"f{index}", ["a"], ["b"], nodes, opsets))
    return made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (functions(20, 10, [node("Relu", ["a"], ["b"])]), "more than 20,000 nodes when they are inlined"),
        (functions(2, 1, [node("f0", ["a"], ["b"], domain="local")]), "calls itself"),
        (functions(1, 1, [node("f0", ["a"], ["b"], domain="local")]), "calls itself"),
        (functions(500, 1, [node("Relu", ["a"], ["b"])]), "more than 64 deep"),
        (functions(5, 10, [node("Relu", ["a"], ["b"], doc_string="d" * 100_000)]), "bytes when they are inlined"),
    ],
    ids=["exponential", "in a circle", "itself", "deep", "large"],
)
def test_functions_are_counted_before_they_are_inlined(made: onnx.ModelProto, reason: str) -> None:
    assert reason in refusal(made)


def test_functions_below_the_limits_are_inlined() -> None:
    parsed, _ = parse_onnx(functions(4, 10, [node("Relu", ["a"], ["b"])]).SerializeToString(), Path("."))
    assert len([entry for entry in parsed.graph.node if entry.op_type == "Relu"]) == 1000


def change(edit: Callable[[onnx.GraphProto], Any], made: onnx.ModelProto | None = None) -> onnx.ModelProto:
    made = chain(4) if made is None else made
    edit(made.graph)
    return made


LONG = "n" * 1001
COUNTS = {
    "nodes": (chain(limits.MAXIMUM_NODES + 1), "it has 20,001 nodes; at most 20,000 are read"),
    "inputs": (change(lambda graph: graph.input.extend([graph.input[0]] * 300)), "inputs; at most 256 are read"),
    "outputs": (change(lambda graph: graph.output.extend([graph.output[0]] * 300)), "outputs; at most 256 are read"),
    "names": (
        change(lambda graph: setattr(graph.node[1], "name", LONG)),
        '…" has 1,001 letters; at most 1,000 are read',
    ),
    "nesting": (b"\x3a\x80\x40" * 5000, "not a valid ONNX file"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_names_are_bounded(name: str) -> None:
    made, reason = COUNTS[name]
    assert reason in refusal(made)


def test_the_name_of_an_output_is_bounded() -> None:
    made = plain([node("Relu", ["x"], ["p" * 300])], (1, 8))
    made.graph.output[0].name = "p" * 300
    assert "has more than 200 letters; rename it" in refusal(made)


def test_a_file_of_empty_parts_is_not_turned_into_objects() -> None:
    empty = onnx.GraphProto(node=[onnx.NodeProto()]).SerializeToString()
    graph = empty * 9_000_000
    length = len(graph)
    header = bytearray(b"\x08\x08\x3a")
    while length >= 0x80:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    assert "parts; no network has as many" in refusal(bytes(header) + graph)


def test_debugging_information_is_bounded() -> None:
    made = chain(4)
    for entry in made.graph.node:
        entry.doc_string = "d" * (5 << 20)
    assert "bytes besides its weights; at most 16,777,216 are read: export it again without" in refusal(made)


def test_weights_are_no_structure() -> None:
    made = chain(4)
    made.graph.initializer.append(numpy_helper.from_array(np.zeros((5 << 20,), np.float32), "large"))
    made.graph.node.append(node("Relu", ["large"], ["dead"]))
    assert len(parse_onnx(made.SerializeToString(), Path("."))[0].graph.node) == 4


CONSTANT = plain([node("Relu", ["c"], ["y"])], (1, 8), c=random(1, 8))
SHAPE_ONLY = model([node("Shape", ["x"], ["y"])], {"x": (1, 8)}, {"y": (2,)}, check=False)
SHAPE_ONLY.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64


@pytest.mark.parametrize("made", [CONSTANT, SHAPE_ONLY], ids=["constants", "shape"])
def test_an_output_that_no_input_reaches_is_told(made: onnx.ModelProto) -> None:
    assert 'the output "y" is constant: no input reaches it; remove it from the model' in refusal(made)


def test_an_output_that_is_an_input_is_told() -> None:
    made = plain([node("Relu", ["x"], ["dead"])], (1, 8))
    made.graph.output[0].name = "x"
    assert "it computes nothing" in refusal(made)


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        ("If", "control flow is not supported; export the model by tracing it"),
        ("SequenceConstruct", "sequences and optional values are not supported"),
        ("StringNormalizer", "strings are not supported"),
        ("RandomNormalLike", "its result is random; export the model for inference"),
        ("NonZero", "the size of its result is only known when it has run"),
        ("LSTM", "recurrent networks are not supported"),
        ("QLinearConv", "the file is quantised, and only float32 files are compiled so far: compile the float32 file"),
        ("Det", "this operator is not supported"),
    ],
)
def test_operators_that_are_not_read_say_what_to_do(operator: str, reason: str) -> None:
    text = refusal(plain([node(operator, ["x"], ["y"], name="n")], (1, 8)))
    assert text.startswith(f'node "n" ({operator}): {reason}')
    assert "did you mean" not in text


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ("com.microsoft", "save it at level ORT_ENABLE_BASIC, or compile the file that it was made from"),
        ("com.microsoft.nchwc", "save it at level ORT_ENABLE_BASIC"),
        ("ai.onnx.ml", "export the network alone"),
        ("com.example", "only standard operators are read"),
    ],
)
def test_operators_of_other_domains_say_what_to_do(domain: str, reason: str) -> None:
    assert reason in refusal(plain([node("FusedConv", ["x"], ["y"], domain=domain)], (1, 8)))


def test_training_is_refused() -> None:
    modes = {"r": np.float32(0.5), "t": np.bool_(True)}
    assert "is in training mode" in refusal(plain([node("Dropout", ["x", "r", "t"], ["y"])], (1, 8), **modes))
    made = plain([node("Dropout", ["x", "r", "t"], ["y"])], (1, 8), r=np.float32(0.5))
    made.graph.input.append(helper.make_tensor_value_info("t", TensorProto.BOOL, []))
    assert "training mode" in refusal(made)


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\u202eb", "*/ int x;", 'a"b', "a\\", "\x1b[2J"])
def test_messages_show_names_in_one_visible_line(name: str) -> None:
    refusal(plain([node("Det", ["x"], ["y"], name=name)], (1, 8)))
    refusal(plain([node(name, ["x"], ["y"])], (1, 8)))
    refusal(plain([node("Relu", [name], ["y"])], (1, 8)))
    refusal(plain([node("Relu", ["x"], ["y"], **{name: 2**60})], (1, 8)))
    refusal(change(lambda graph: setattr(graph.output[0], "name", name)))
