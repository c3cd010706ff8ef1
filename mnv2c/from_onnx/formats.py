"""Model files of other formats, known by their first bytes or their names, and how each becomes an ONNX file."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from mnv2c.errors import OnnxError

HEAD_BYTES = 4096
"""Of a file that are looked at; every format tells itself within."""
TAIL_BYTES = 1 << 16
"""Of a zip file, whose list of contents stands at its end."""


@dataclass(frozen=True)
class Format:
    """What a file is, and what to do to have it compiled."""

    name: str
    remedy: str


ONNX = Format("an ONNX file", "give it a name that ends in .onnx")
TORCH_EXPORT = "export it to ONNX: torch.onnx.export(model, example, 'model.onnx')"
WEIGHTS = "weights alone are taken as `mnv2c compile MODEL --weights FILE`; of a whole model "
TFLITE = Format("a TensorFlow Lite file", "convert it to ONNX: python -m tf2onnx.convert --tflite FILE --output M.onnx")
ORT = Format(
    "an onnxruntime file (ORT format)",
    "compile the ONNX file that it was made from",
)
KERAS = Format(
    "a Keras model",
    "convert it to ONNX: model.export('model.onnx', format='onnx'), or tf2onnx.convert.from_keras(model)",
)
FROZEN = Format(
    "a TensorFlow graph",
    "convert it to ONNX: python -m tf2onnx.convert --graphdef FILE --inputs IN:0 --outputs OUT:0 --output M.onnx",
)
SAVED = Format(
    "a TensorFlow SavedModel",
    "convert it to ONNX: python -m tf2onnx.convert --saved-model FOLDER --output M.onnx",
)
TORCH = Format("a PyTorch file", f"{WEIGHTS}{TORCH_EXPORT}")
SCRIPT = Format("a TorchScript file", f"load it (torch.jit.load) and {TORCH_EXPORT}")
EXPORTED = Format("a program of torch.export", f"load it (torch.export.load) and {TORCH_EXPORT}")
PICKLE = Format("a Python pickle", f"it is not read, since it may run any code; {WEIGHTS}{TORCH_EXPORT}")
SAFETENSORS = Format("a safetensors file, which holds weights and no network", f"{WEIGHTS}{TORCH_EXPORT}")
ZIP = Format("a zip file", "unpack it, and give the ONNX file within")
ARCHIVE = Format("a compressed file", "unpack it, and give the ONNX file within")
LFS = Format("a pointer of Git LFS, and not the file itself", "fetch that with `git lfs pull`")
PAGE = Format("a web page", "download the file itself (of GitHub the raw file)")
TEXT = Format("a text file", "give an ONNX file, or a description that ends in .toml")
EMPTY = Format("empty", "copy or download it again")
CHECKPOINT = Format(
    "a TensorFlow checkpoint", "save the model with its weights as a SavedModel, and convert that to ONNX"
)
GGUF = Format("a GGUF file, of a language model", "give an ONNX file")


def _of_engine(engine: str) -> Format:
    return Format(f"a file of {engine}", "compile the ONNX file that it was made from, or export it to ONNX")


BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"version https://git-lfs", LFS),
    (b"\x89HDF\r\n\x1a\n", KERAS),
    (b"GGUF", GGUF),
    (b"\x1f\x8b", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),
    (b"Rar!", ARCHIVE),
)
"""How files begin."""

MARKS: dict[bytes, Format] = {b"TFL3": TFLITE, b"ORTM": ORT}
"""The identifiers of FlatBuffers, from the fifth byte on."""

SUFFIXES: dict[str, Format] = {
    ".tflite": TFLITE,
    ".lite": TFLITE,
    ".ort": ORT,
    ".h5": KERAS,
    ".hdf5": KERAS,
    ".keras": KERAS,
    ".pb": FROZEN,
    ".pbtxt": FROZEN,
    ".ckpt": CHECKPOINT,
    ".index": CHECKPOINT,
    ".pt": TORCH,
    ".pth": TORCH,
    ".pt2": EXPORTED,
    ".bin": TORCH,
    ".ptl": SCRIPT,
    ".torchscript": SCRIPT,
    ".pkl": PICKLE,
    ".pickle": PICKLE,
    ".safetensors": SAFETENSORS,
    ".zip": ZIP,
    ".tar": ARCHIVE,
    ".gz": ARCHIVE,
    ".tgz": ARCHIVE,
    ".gguf": GGUF,
    ".onnxtxt": Format("the text form of an ONNX file", "save it in the binary form: onnx.save(model, 'model.onnx')"),
    ".pte": _of_engine("ExecuTorch"),
    ".mnn": _of_engine("MNN"),
    ".param": _of_engine("ncnn"),
    ".xml": _of_engine("OpenVINO"),
    ".mlmodel": _of_engine("Core ML"),
    ".mlpackage": _of_engine("Core ML"),
    ".caffemodel": _of_engine("Caffe"),
    ".prototxt": _of_engine("Caffe"),
    ".engine": _of_engine("TensorRT"),
    ".plan": _of_engine("TensorRT"),
    ".params": _of_engine("MXNet"),
    ".pdmodel": _of_engine("PaddlePaddle"),
    ".rknn": _of_engine("RKNN"),
    ".json": Format("a JSON file", "give an ONNX file, or a description that ends in .toml"),
    ".yaml": TEXT,
    ".yml": TEXT,
    ".txt": TEXT,
}
"""Formats by the end of a name, for files that do not tell themselves."""


def is_onnx(model: str | Path) -> bool:
    """Whether the name of a model is that of an ONNX file."""
    return Path(model).suffix.lower() == ".onnx"


def refuse_other_formats(model: str | Path) -> None:
    """Raise OnnxError for a file or folder of another format, with what to do instead.

    A name of the zoo, a description (``.toml``), and what may be an ONNX file and is called so pass; so does what does
    not exist, unless its name tells what it would be.
    """
    path = Path(model)
    if path.suffix == ".toml" or _is_name(str(model)):
        return
    try:
        found = _of_content(path)
    except (OSError, ValueError):  # who reads it will say why it cannot be read
        found = None
    if found is ONNX and is_onnx(model):
        return
    by_name = None if is_onnx(model) else SUFFIXES.get(path.suffix.lower())
    if found in (None, TEXT, ZIP, PICKLE) and by_name is not None:
        found = by_name
    if found is not None:
        raise OnnxError(f"{path}: it is {found.name}; {found.remedy}")


def refuse_all_formats(model: str | Path) -> None:
    """Do what ``refuse_other_formats`` does where only descriptions are taken: OnnxError for ONNX files, too."""
    refuse_other_formats(model)
    if is_onnx(model):
        raise OnnxError(f"{model}: an ONNX file is no description; `mnv2c plan` shows what becomes of it")


def _is_name(model: str) -> bool:
    """Whether it looks like a name of the zoo, which no file of the same name hides."""
    return re.fullmatch(r"\w{1,80}", model) is not None and not Path(model).is_file()


def _of_content(path: Path) -> Format | None:
    """Return the format that a file tells, None where it tells none; OSError where it cannot be read."""
    if path.is_dir():
        return SAVED if (path / "saved_model.pb").is_file() else SUFFIXES.get(path.suffix.lower(), _FOLDER)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read(TAIL_BYTES)
    if not head:
        return EMPTY
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(tail)
    for beginning, found in BEGINNINGS:
        if head.startswith(beginning):
            return found
    return MARKS.get(head[4:8]) or _of_structure(head, size)


_FOLDER = Format("a folder", "give a file")


def _of_zip(tail: bytes) -> Format:
    """What the list of contents tells."""
    if b"constants.pkl" in tail or b"/code/" in tail:
        return SCRIPT
    if b"data.pkl" in tail:
        return TORCH
    if b"model.weights.h5" in tail or (b"config.json" in tail and b"metadata.json" in tail):
        return KERAS
    return EXPORTED if b"serialized_exported_program" in tail or b"archive_format" in tail else ZIP


def _of_structure(head: bytes, size: int) -> Format | None:
    """What the first fields tell: ONNX begins with its version, a number below 128, in field 1."""
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return PICKLE
    length = struct.unpack_from("<Q", head)[0] if len(head) >= 9 else 0
    if head[8:9] == b"{" and 2 <= length <= size:
        return SAFETENSORS
    if _is_text(head):
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        return PAGE if start.startswith((b"<!doctype html", b"<html")) else TEXT
    if head[0] == 0x08:
        return ONNX
    return FROZEN if head[0] == 0x0A and 0x0A in head[2:4] else None  # a node, which begins with its name


def _is_text(head: bytes) -> bool:
    return len(head) > 8 and all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in head)
