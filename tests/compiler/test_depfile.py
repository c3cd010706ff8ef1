"""``--depfile``: every file that decides what is made, in the words of make."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.common import data
from mnv2c.compiler.depfile import inputs, write_depfile
from mnv2c.errors import OutputError


def names(paths: list[Path]) -> set[str]:
    return {path.name for path in paths}


def test_a_model_of_the_zoo() -> None:
    used = inputs("mobilenet_v2", None, "cortex-a76")
    assert used == sorted(
        [
            data.PACKAGE / "spec" / "zoo" / "mobilenet_v2.toml",
            data.folder("targets") / "cortex-a76.toml",
            data.PACKAGE / "__init__.py",
        ]
    )
    assert all(path.is_absolute() and path.is_file() for path in used)


def test_the_users_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    used = inputs("spec.toml", "w.safetensors", "mine.toml")
    assert {tmp_path / name for name in ("spec.toml", "w.safetensors", "mine.toml")} <= set(used)
    assert names(used) == {"spec.toml", "w.safetensors", "mine.toml", "__init__.py"}


def test_an_onnx_file_with_its_data_beside_it(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros((64, 64), np.float32), "w")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [value], [result], [weights])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    assert {"model.onnx", "model.onnx.data"} <= names(inputs(path, None, "aarch64"))


def test_names_are_written_as_make_reads_them(tmp_path: Path) -> None:
    write_depfile(tmp_path / "net.d", tmp_path / "out" / "libnet.a", [Path("/a b/c#d"), Path("/e$f")])
    text = (tmp_path / "net.d").read_text()
    assert text == f"{tmp_path}/out/libnet.a: \\\n  /a\\ b/c\\#d \\\n  /e$$f\n"
    with pytest.raises(OutputError, match="is a folder; give a file with --depfile"):
        write_depfile(tmp_path, tmp_path, [])


def test_a_compile_writes_it(tmp_path: Path) -> None:
    made = mnv2c.compile(
        "mobilenet_v2", output=tmp_path / "out", width=0.35, resolution=32, depfile=tmp_path / "sub" / "net.d"
    )
    rule = (tmp_path / "sub" / "net.d").read_text()
    assert rule.startswith(f"{made.directory.absolute()}/lib{made.name}.a: \\\n")
    assert (made.directory / f"lib{made.name}.a").is_file()
    assert "zoo/mobilenet_v2.toml" in rule
