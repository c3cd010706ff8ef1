"""What cannot be compiled is refused in one line that names the place and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mnv2c.errors import OnnxError
from mnv2c.from_onnx import read as reading
from mnv2c.from_onnx import read_onnx
from mnv2c.from_onnx.read import parse_onnx
from tests.foreign.exporters import DYNAMO, TORCHSCRIPT, Style, network
from tests.to_relax.graphs import model


def refusal(made: onnx.ModelProto, folder: Path = Path(".")) -> str:
    with pytest.raises(OnnxError) as error:
        parse_onnx(made.SerializeToString(), folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(change: Callable[[onnx.ModelProto], Any], style: Style = DYNAMO) -> onnx.ModelProto:
    made = network(style)
    change(made)
    return made


def node_of(made: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(node for node in made.graph.node if node.op_type == operator)


def test_an_unknown_operator_is_named_with_its_node() -> None:
    made = changed(lambda made: setattr(node_of(made, "Clip"), "op_type", "Clipp"))
    assert refusal(made) == 'node "/Clip_2" (Clipp): this operator is not supported (did you mean "Clip"?)'


def test_an_operator_of_another_domain_is_refused() -> None:
    made = changed(lambda made: setattr(node_of(made, "Conv"), "domain", "com.microsoft"))
    assert 'node "/Conv_0" (Conv) is of the domain "com.microsoft"' in refusal(made)


@pytest.mark.parametrize(
    ("operator", "domain", "remedy"),
    [
        ("NonMaxSuppression", "", "export the raw heads, boxes and scores"),
        ("FusedConv", "com.microsoft", "save it at level ORT_ENABLE_BASIC"),
        ("Conv", "com.microsoft.nchwc", "save it at level ORT_ENABLE_BASIC"),
    ],
)
def test_what_others_run_is_refused_with_a_remedy(operator: str, domain: str, remedy: str) -> None:
    def change(made: onnx.ModelProto) -> None:
        node_of(made, "Conv").op_type = operator
        node_of(made, operator).domain = domain

    message = refusal(changed(change))
    assert f"({operator})" in message and remedy in message


def test_a_cycle_is_refused() -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"])]
    cyclic = model(nodes, {"x": (1, 4)}, {"b": (1, 4)}, check=False)
    assert refusal(cyclic).startswith('node "first" (Add) reads "b", which comes from itself: the graph is cyclic')


def test_a_dynamic_batch_becomes_one_and_the_rest_must_be_static() -> None:
    read, _ = parse_onnx(network(TORCHSCRIPT).SerializeToString(), Path("."))
    assert [entry.dim_value for entry in read.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 16, 16]
    assert [entry.dim_value for entry in read.graph.output[0].type.tensor_type.shape.dim] == [1, 5]
    height = changed(lambda made: setattr(made.graph.input[0].type.tensor_type.shape.dim[2], "dim_param", "height"))
    assert refusal(height) == (
        'input "image": dimension 2 is dynamic ("height"); say how large it is with --input-shape 1,3,224,16'
    )


def test_a_fixed_batch_of_many_is_refused() -> None:
    made = changed(lambda made: setattr(made.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 8))
    assert "has the fixed batch 8; export the model with batch 1" in refusal(made)


@pytest.mark.parametrize(
    ("extents", "reason"),
    [([1, 3, 1 << 20, 1 << 20], "more than"), ([1, -2, 4, 4], "illegal"), ([1, 0, 4, 4], "dimension 1 is dynamic")],
)
def test_shapes_are_checked_before_anything_is_made_of_them(extents: list[int], reason: str) -> None:
    made = changed(lambda made: made.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("image", TensorProto.FLOAT, extents)))  # fmt: skip
    assert reason in refusal(made)


def test_a_size_written_in_the_file_is_no_reason_to_allocate() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"], name="fill"),
        helper.make_node("Add", ["x", "zeros"], ["y"]),
    ]
    made = model(nodes, {"x": (1, 4)}, {"y": (1, 4)}, {"huge": np.array([1 << 40, 4], np.int64)})
    assert 'node "fill" (ConstantOfShape)' in refusal(made)


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.onnx").write_bytes(bytes(100))
    monkeypatch.setattr(reading, "MAXIMUM_BYTES", 99)
    with pytest.raises(OnnxError, match=r"large\.onnx: 100 bytes; at most 99 are read"):
        read_onnx(tmp_path / "large.onnx")


def test_half_precision_is_refused() -> None:
    def halve(made: onnx.ModelProto) -> None:
        tensor = made.graph.initializer[0]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))

    assert "is of type FLOAT16; only float32 files are compiled so far: compile the float32 file" in refusal(
        changed(halve)
    )


def test_weights_that_are_no_numbers_are_refused() -> None:
    def spoil(made: onnx.ModelProto) -> None:
        tensor = made.graph.initializer[0]
        values = numpy_helper.to_array(tensor).copy()
        values.flat[1] = np.nan
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    assert refusal(changed(spoil)) == 'tensor "onnx::value_0" holds NaN or infinity'


def external(location: str, **fields: str) -> onnx.ModelProto:
    def move(made: onnx.ModelProto) -> None:
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **fields}.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    return changed(move)


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/passwd", "", ".", "..", "linked", "inner/../../secret", "inner/up/secret", "inner\\w", "a//b"],
)
def test_external_data_stay_in_the_models_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(10_000))
    (folder / "linked").symlink_to(tmp_path / "secret")
    (folder / "inner").mkdir()
    (folder / "inner" / "up").symlink_to(tmp_path)
    assert "which is not in the model's folder" in refusal(external(location), folder)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"offset": "9999"}, "takes 864 bytes at 9999"), ({"offset": "-1"}, "at -1"), ({"length": "3"}, "declares 3"),
     ({"offset": "x"}, "no number")],
)  # fmt: skip
def test_external_data_stay_in_their_file(fields: dict[str, str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(bytes(10_000))
    assert reason in refusal(external("w", **fields), tmp_path)


def test_missing_external_data_are_named(tmp_path: Path) -> None:
    assert refusal(external("lost.data"), tmp_path).endswith('needs the file "lost.data"; put it beside the model')


@pytest.mark.parametrize("name", ["a*/b", 'a"b', "a\nb"])
def test_names_that_c_cannot_hold_are_refused(name: str) -> None:
    nodes = [helper.make_node("Relu", [name], ["y"])]
    assert "rename it" in refusal(model(nodes, {name: (1, 4)}, {"y": (1, 4)}, check=False))
