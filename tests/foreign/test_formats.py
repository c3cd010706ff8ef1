"""Files of other formats, given as a model, are refused in one line that says what to do; so are wrong shapes."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
from onnx import helper

from mnv2c.cli.main import main
from mnv2c.from_onnx.formats import SUFFIXES
from tests.foreign.exporters import TORCHSCRIPT, network, saved
from tests.to_relax.graphs import model


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in names:
            file.writestr(name, b"x" * 100)
    return stream.getvalue()


ONNX = network(TORCHSCRIPT, size=8).SerializeToString()
HEADER = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
CONTENTS = {
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite", "tf2onnx.convert --tflite"),
    "ort": (b"\x1c\0\0\0ORTM" + bytes(100), "ORT format", "the ONNX file that it was made from"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "a Keras model", "model.export('model.onnx', format='onnx')"),
    "keras": (zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras model", "convert it to ONNX"),
    "torchscript": (zipped("net/data.pkl", "net/code/a.py", "net/constants.pkl"), "TorchScript", "torch.onnx.export"),
    "torch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file", "--weights FILE"),
    "pt2": (zipped("net/archive_format", "net/models/model.json"), "torch.export", "torch.export.load"),
    "zip": (zipped("model.onnx"), "a zip file", "unpack it"),
    "pickle": (pickle.dumps({"w": 1}, protocol=2), "a Python pickle", "may run any code"),
    "safetensors": (struct.pack("<Q", len(HEADER)) + HEADER + bytes(4), "a safetensors file", "--weights FILE"),
    "graph": (b"\x0a\x10\x0a\x05input\x12\x0bPlaceholder", "a TensorFlow graph", "--graphdef"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "Git LFS", "git lfs pull"),
    "page": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page", "download the file itself"),
    "text": (b"name: mobilenet\nclasses: 10\n", "a text file", "give an ONNX file"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(50), "a compressed file", "unpack it"),
    "empty": (b"", "it is empty", "again"),
}


def refused(path: Path, capsys: pytest.CaptureFixture[str], *options: str, verb: str = "compile") -> str:
    output = ["-o", str(path.parent / "out")] if verb == "compile" else []
    assert main([verb, str(path), *output, *options, *(["-q"] if verb != "inspect" else [])]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert len(error) < 600
    assert not (path.parent / "out").exists()
    return error


@pytest.mark.parametrize("suffix", [".onnx", ".bin", "", ".ONNX"])
@pytest.mark.parametrize("name", CONTENTS)
def test_a_format_is_known_by_its_content(
    name: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, called, remedy = CONTENTS[name]
    (tmp_path / f"net{suffix}").write_bytes(content)
    error = refused(tmp_path / f"net{suffix}", capsys)
    if suffix != ".bin" or name not in ("text", "zip", "pickle"):  # of these the name tells more
        assert called in error
        assert remedy in error


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("exists", [True, False])
def test_a_format_is_known_by_its_name(
    suffix: str, exists: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"net{suffix.upper()}"
    if exists:
        path.write_bytes(b"\xff\xfe\x01\x02" * 9)
    error = refused(path, capsys)
    assert f"{path}: it is {SUFFIXES[suffix].name}; {SUFFIXES[suffix].remedy}" in error


def test_an_onnx_file_of_another_name_is_to_be_renamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.model").write_bytes(ONNX)
    assert "it is an ONNX file; give it a name that ends in .onnx" in refused(tmp_path / "net.model", capsys)


def test_folders_and_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    assert "it is a folder; give a file" in refused(folder, capsys)
    (folder / "saved_model.pb").write_bytes(b"")
    assert "a TensorFlow SavedModel; convert it to ONNX" in refused(folder, capsys)
    assert "cannot be read: No such file" in refused(tmp_path / "lost.onnx", capsys)
    (tmp_path / "folder.onnx").mkdir()
    assert "it is a folder" in refused(tmp_path / "folder.onnx", capsys)


@pytest.mark.parametrize("verb", ["compile", "plan", "tune", "inspect"])
def test_every_verb_says_so(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    records = ["--schedules", str(tmp_path / "records")] if verb == "tune" else []
    assert "it is a TensorFlow Lite file" in refused(tmp_path / "net.tflite", capsys, *records, verb=verb)


def test_inspect_takes_descriptions_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.onnx").write_bytes(ONNX)
    assert "`mnv2c plan` shows what becomes of it" in refused(tmp_path / "net.onnx", capsys, verb="inspect")


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    made = network(TORCHSCRIPT, size=8)
    for axis, name in ((2, "H"), (3, "W")):
        made.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    return saved(made, tmp_path / "dynamic.onnx")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), 'input "image": dimension 2 is dynamic ("H"); say how large it is with --input-shape 1,3,224,224'),
        (("other=1,3,8,8",), '--input-shape: there is no input "other"; the model has "image"'),
        (("1,4,8,8",), '--input-shape 1,4,8,8: dimension 1 of input "image" is fixed to 3 in the file'),
        (("8,8",), '--input-shape 8,8: input "image" has 4 dimensions'),
        (("2,3,8,8",), 'input "image" has the fixed batch 2; export the model with batch 1'),
        (("1,3,a,8",), '--input-shape "1,3,a,8": give numbers, as 1,3,224,224 or NAME=1,3,224,224'),
        (("",), '--input-shape "": give numbers'),
        (("1,3,-8,8",), '--input-shape "1,3,-8,8": give numbers'),
        (("1.5,3,8,8",), "give numbers"),
        (("1,3,0,8",), "--input-shape 1,3,0,8: every dimension is at least 1"),
        (("1,3,100000,100000",), "--input-shape 1,3,100000,100000: more than 67,108,864 elements"),
        (("1,3,99999999999999999999,1",), "give numbers"),
        (("1,1,1,1,1,1,1,1,1",), "9 dimensions; at most 8 are supported"),
        (("image=1,3,8,8", "image=1,3,9,9"), '--input-shape is given twice for input "image"'),
    ],
)
def test_wrong_shapes_are_told(
    options: tuple[str, ...], reason: str, dynamic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for option in options for word in ("--input-shape", option)]
    assert reason in refused(dynamic, capsys, *given)


def test_of_several_inputs_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = model([helper.make_node("Add", ["a", "b"], ["y"])], {"a": (1, "H"), "b": (1, "H")}, {"y": (1, "H")})
    path = saved(made, tmp_path / "two.onnx")
    assert "say how large it is with --input-shape a=1,224" in refused(path, capsys)
    error = refused(path, capsys, "--input-shape", "1,8")
    assert '--input-shape: say for which input, as a=1,3,224,224; the model has "a", "b"' in error
    error = refused(path, capsys, "--input-shape", "a=1,8", "--input-shape", "b=1,9")
    assert '--input-shape 1,9: "H", dimension 1 of input "b", is already 8' in error


def test_a_description_has_a_resolution_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-o", str(tmp_path / "out"), "--input-shape", "1,96,96,3", "-q"]
    assert main(["compile", "mobilenet_v2", *options]) == 2
    assert "--input-shape is for ONNX files; the size of this model is set by --resolution" in capsys.readouterr().err
