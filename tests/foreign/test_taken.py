"""Files that onnxruntime runs, in whichever form they are written: compiled, and compared with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.cli.main import main
from mnv2c.compiler.options import PlanOptions
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.verification import tolerance
from tests.foreign.exporters import DYNAMO, TORCHSCRIPT, network, saved
from tests.to_relax.graphs import model, random


def small(opset: int = 17) -> onnx.ModelProto:
    """A convolution and its clamp, a sum and a residual: enough for a chain of ours and a fallback."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "low", "high"], ["d"]),
        helper.make_node("Mul", ["d", "d"], ["e"]),
        helper.make_node("Add", ["e", "x"], ["y"]),
    ]
    constants = {"w": random(4, 4, 3, 3), "b": random(4), "low": np.float32(0), "high": np.float32(6)}
    return model(nodes, {"x": (1, 4, 6, 8)}, {"y": (1, 4, 6, 8)}, constants, opset)


def assert_right(path: Path, folder: Path, shape: tuple[int, ...] = (1, 4, 6, 8), **options: Any) -> mnv2c.Compiled:
    """Compile the file, and compare with onnxruntime on the file itself."""
    made = mnv2c.compile(path, output=folder / "out", **options)
    image = np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {session.get_inputs()[0].name: image})
    results = mnv2c.load(made.directory)(image)
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(wanted)
    for result, expected in zip(results, wanted, strict=True):
        assert result.shape == expected.shape
        assert tolerance.relative_error(result, expected) <= tolerance.FLOAT32
    assert mnv2c.verify(made.directory).passed
    return made


def weights_among_inputs(made: onnx.ModelProto) -> None:
    made.ir_version = 3
    for tensor in made.graph.initializer:
        made.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def default_values(made: onnx.ModelProto) -> None:
    weights_among_inputs(made)
    made.ir_version = 8


def outputs_without_shape(made: onnx.ModelProto) -> None:
    made.graph.output[0].type.tensor_type.ClearField("shape")


def outputs_without_type(made: onnx.ModelProto) -> None:
    made.graph.output[0].ClearField("type")


def reversed_nodes(made: onnx.ModelProto) -> None:
    nodes = list(made.graph.node)[::-1]
    copies = onnx.GraphProto(node=nodes)
    made.graph.ClearField("node")
    made.graph.node.extend(copies.node)


def batch(value: int) -> Callable[[onnx.ModelProto], None]:
    def change(made: onnx.ModelProto) -> None:
        for port in (*made.graph.input, *made.graph.output):
            port.type.tensor_type.shape.dim[0].dim_value = value

    change.__name__ = f"batch_{value}"
    return change


def two_names_of_one_domain(made: onnx.ModelProto) -> None:
    made.opset_import.add(domain="ai.onnx", version=made.opset_import[0].version)
    made.opset_import.add(domain="com.example", version=1)


def no_names(made: onnx.ModelProto) -> None:
    made.graph.name = "g"
    made.ClearField("producer_name")
    for node in made.graph.node:
        node.name = ""


def same_names(made: onnx.ModelProto) -> None:
    for node in made.graph.node:
        node.name = "node"


def unused_parts(made: onnx.ModelProto) -> None:
    made.graph.initializer.append(numpy_helper.from_array(random(7), "unused"))
    made.graph.node.append(helper.make_node("Exp", ["x"], ["dead"]))


def wrong_value_info(made: onnx.ModelProto) -> None:
    made.graph.value_info.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [None, 4, None, None]))


def double_scalars(made: onnx.ModelProto) -> None:
    """Bounds that an exporter wrote as float64, with the Cast that goes with them."""
    for name in ("low", "high"):
        tensor = next(tensor for tensor in made.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), f"{name}_64"))
        made.graph.node.insert(0, helper.make_node("Cast", [f"{name}_64"], [name], to=TensorProto.FLOAT))


def no_training(made: onnx.ModelProto) -> None:
    made.graph.initializer.append(numpy_helper.from_array(np.float32(0.3), "ratio"))
    made.graph.initializer.append(numpy_helper.from_array(np.bool_(False), "mode"))
    made.graph.node[2].output[0] = "before"
    made.graph.node.insert(3, helper.make_node("Dropout", ["before", "ratio", "mode"], ["e", "mask"], seed=2**40))


def identities(made: onnx.ModelProto) -> None:
    made.graph.node[0].output[0] = "c0"
    made.graph.node.extend([helper.make_node("Identity", [f"c{i}"], [f"c{i + 1}"]) for i in range(5)])
    made.graph.node.append(helper.make_node("Identity", ["c5"], ["c"]))
    reversed_nodes(made)


def local_function(made: onnx.ModelProto) -> None:
    """The sum of squares as a function that calls another one."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    square = helper.make_function("local", "Square", ["a"], ["b"], [helper.make_node("Mul", ["a", "a"], ["b"])], opsets)
    call = helper.make_node("Square", ["a"], ["s"], domain="local")
    both = helper.make_function(
        "local", "Both", ["a", "c"], ["b"], [call, helper.make_node("Add", ["s", "c"], ["b"])], opsets
    )
    del made.graph.node[2:]
    made.graph.node.append(helper.make_node("Both", ["d", "x"], ["y"], domain="local"))
    made.opset_import.add(domain="local", version=1)
    made.functions.extend([both, square])


REFUSED_BY_ONNXRUNTIME = [batch(0), same_names]
"""Here onnxruntime wants 0 images, and names that differ; files have both, and what is meant is plain."""
FORMS = [
    weights_among_inputs, default_values, outputs_without_shape, outputs_without_type, reversed_nodes, batch(-1),
    two_names_of_one_domain, no_names, unused_parts, wrong_value_info, double_scalars, no_training, identities,
    local_function, *REFUSED_BY_ONNXRUNTIME,
]  # fmt: skip


def read(made: onnx.ModelProto) -> tuple[list[str], bytes]:
    """The operators that are compiled, sorted, and the reference."""
    found, reference = parse_onnx(made.SerializeToString(), Path("."))
    return sorted(node.op_type for node in found.graph.node if node.op_type not in ("Identity", "Dropout")), reference


def run(content: bytes) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": random(1, 4, 6, 8)})
    return np.asarray(result)


@pytest.mark.parametrize("change", FORMS, ids=[form.__name__ for form in FORMS])
def test_every_form_is_read_as_the_plain_one_and_its_reference_computes_the_same(
    change: Callable[[onnx.ModelProto], None],
) -> None:
    made = small()
    change(made)
    operators, reference = read(made)
    assert operators == read(small())[0]
    if change not in REFUSED_BY_ONNXRUNTIME:
        np.testing.assert_allclose(run(reference), run(made.SerializeToString()), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(run(reference), run(small().SerializeToString()))


@pytest.mark.parametrize(
    "changes",
    [
        (batch(-1), weights_among_inputs, outputs_without_shape),
        (double_scalars, default_values, reversed_nodes, outputs_without_type, unused_parts),
        (local_function, two_names_of_one_domain, wrong_value_info),
        (no_training, identities, no_names),
    ],
    ids=lambda changes: "-".join(change.__name__ for change in changes),
)
def test_several_forms_at_once_compile_to_what_onnxruntime_computes(
    changes: tuple[Callable[[onnx.ModelProto], None], ...], tmp_path: Path
) -> None:
    made = small()
    for change in changes:
        change(made)
    assert_right(saved(made, tmp_path / "form.onnx"), tmp_path)


def test_a_whole_network_of_another_form_is_right(tmp_path: Path) -> None:
    made = network(TORCHSCRIPT)
    weights_among_inputs(made)
    outputs_without_shape(made)
    reversed_nodes(made)
    found = assert_right(saved(made, tmp_path / "NET.ONNX"), tmp_path, (1, 3, 16, 16), depfile=tmp_path / "net.d")
    assert found.name == "NET"
    assert found.metadata["fallbacks"] == []
    assert "NET.ONNX" in (tmp_path / "net.d").read_text()


def test_constants_of_every_kind_are_read(tmp_path: Path) -> None:
    values: dict[str, dict[str, Any]] = {
        "one": {"value_float": 1.5},
        "many": {"value_floats": [0.5, 2.0, -1.0, 0.25]},
        "axis": {"value_ints": [2, 3]},
        "index": {"value_int": 1},
        "tensor": {"value": numpy_helper.from_array(random(1, 4, 1, 1))},
    }
    constants = [helper.make_node("Constant", [], [name], **value) for name, value in values.items()]
    nodes = [
        helper.make_node("Mul", ["x", "one"], ["a"]),
        helper.make_node("Add", ["a", "tensor"], ["b"]),
        helper.make_node("ReduceMean", ["b", "axis"], ["c"], keepdims=0),
        helper.make_node("Mul", ["c", "many"], ["d"]),
        helper.make_node("Unsqueeze", ["d", "index"], ["y"]),
    ]
    made = model([*nodes, *constants], {"x": (1, 4, 6, 8)}, {"y": (1, 1, 4)}, opset=18, check=False)
    made.graph.node[4].input[1] = "index_1"
    made.graph.node.append(helper.make_node("Constant", [], ["index_1"], value_ints=[1]))
    assert_right(saved(made, tmp_path / "constants.onnx"), tmp_path)


@pytest.mark.parametrize("location", ["data/weights.bin", "a/b/c.bin", "./here.bin"])
def test_external_data_below_the_folder_are_read(location: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    (tmp_path / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(small(), path, save_as_external_data=True, location=location, size_threshold=0)
    stored = onnx.load(path, load_external_data=False)
    assert any(tensor.data_location == TensorProto.EXTERNAL for tensor in stored.graph.initializer)
    parsed, reference = parse_onnx(path.read_bytes(), tmp_path)
    assert not any(tensor.data_location == TensorProto.EXTERNAL for tensor in parsed.graph.initializer)
    np.testing.assert_array_equal(run(reference), run(small().SerializeToString()))


def test_a_network_with_data_in_a_folder_compiles(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    (tmp_path / "data").mkdir()
    onnx.save(network(DYNAMO), path, save_as_external_data=True, location="data/w.bin", size_threshold=64)
    assert_right(path, tmp_path, (1, 3, 16, 16))


def dynamic() -> onnx.ModelProto:
    made = network(TORCHSCRIPT)
    for axis, name in ((2, "H"), (3, "W")):
        made.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    return made


def test_the_user_says_how_large_a_dynamic_input_is(tmp_path: Path) -> None:
    path = saved(dynamic(), tmp_path / "dynamic.onnx")
    assert main(["compile", str(path), "-o", str(tmp_path / "out"), "--input-shape", "image=1x3x24x32", "-q"]) == 0
    described = mnv2c.load(tmp_path / "out")
    image = random(1, 3, 24, 32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"image": image})
    assert tolerance.relative_error(described(image), wanted) <= tolerance.FLOAT32
    assert mnv2c.verify(tmp_path / "out").passed


def test_every_verb_that_reads_a_model_takes_the_shape(tmp_path: Path) -> None:
    path = saved(dynamic(), tmp_path / "dynamic.onnx")
    small_plan = mnv2c.plan_model(path, input_shape=(1, 3, 16, 16))
    large_plan = mnv2c.plan_model(path, input_shape={"image": (1, 3, 32, 32)})
    assert large_plan.madds > 3 * small_plan.madds
    from mnv2c.tune.session import tasks

    assert tasks.read(PlanOptions(path, input_shape="1,3,16,16")).cuts.pieces


def test_one_name_means_one_extent_in_all_inputs() -> None:
    from mnv2c.from_onnx.input_shapes import parse_shapes

    made = model(
        [helper.make_node("Add", ["a", "b"], ["y"])], {"a": ("N", 4, "H"), "b": ("N", 4, "H")}, {"y": None}, check=False
    )
    read_model, _ = parse_onnx(made.SerializeToString(), Path("."), parse_shapes(["a=1,4,7"]))
    assert [entry.dim_value for entry in read_model.graph.input[1].type.tensor_type.shape.dim] == [1, 4, 7]


def test_a_depthwise_window_that_no_kernel_writes_out_falls_back_and_is_right(tmp_path: Path) -> None:
    conv = helper.make_node("Conv", ["x", "w"], ["y"], group=4, pads=[8] * 4)
    made = model([conv], {"x": (1, 4, 6, 8)}, {"y": (1, 4, 6, 8)}, {"w": random(4, 1, 17, 17)})
    found = assert_right(saved(made, tmp_path / "wide.onnx"), tmp_path)
    assert found.metadata["fallback_work"]["madds_share"] == 1.0
    assert found.metadata["madds"] == 4 * 6 * 8 * 17 * 17
