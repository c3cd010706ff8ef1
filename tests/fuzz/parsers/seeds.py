"""The files that mutations begin with: small, right, one or more of every kind that a parser knows, all made here."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mnv2c.common.data import folder
from mnv2c.spec import ModelSpec, from_toml, to_toml

LIBRARY = "MNV2C_FUZZ_LIBRARY"
TINY = 'name = "tiny"\nwidth = 0.1\nresolution = 32\nclasses = 3\nrows = [[1, 4, 1, 1], [2, 8, 1, 2]]\n'
"""A description whose weights are a few kilobytes."""


@cache
def onnx_files() -> list[bytes]:
    """Small networks as exporters write them, graphs of other operators, and one with weights in another file."""
    from tests.foreign.exporters import DYNAMO, KERAS, OLD, STYLES, TORCHSCRIPT, network

    styles = (TORCHSCRIPT, DYNAMO, KERAS, OLD, STYLES["auto_pad, computed reshape"])
    files = [network(style, size=8) for style in styles]
    files += [network(DYNAMO, size=8, family="v1"), *_graphs()]
    return [bytes(model.SerializeToString()) for model in files]


def _graphs() -> list[Any]:
    from onnx import TensorProto, helper, numpy_helper

    def model(nodes: list[Any], constants: dict[str, Any], shape: list[int], opset: int = 17) -> Any:
        tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
        port = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, "g", [port], [result], tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)

    node = helper.make_node
    kernel = np.linspace(-1, 1, 4 * 3 * 9, dtype=np.float32).reshape(4, 3, 3, 3)
    resized = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        node("Resize", ["a", "", "s"], ["b"], mode="linear", coordinate_transformation_mode="half_pixel"),
        node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["a", "c"], ["y"], axis=1),
    ]
    shaped = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Concat", ["n", "rest"], ["shape"], axis=0),
        node("Reshape", ["x", "shape"], ["r"]),
        node("Slice", ["r", "one", "two", "one"], ["t"]),
        node("Pad", ["t", "pads"], ["p"]),
        node("Softmax", ["p"], ["y"], axis=-1),
    ]
    scales = np.array([1, 1, 2, 2], np.float32)
    pads = np.array([0, 0, 0, 1], np.int64)
    named = {"zero": np.array([0]), "rest": np.array([-1]), "one": np.array([1]), "two": np.array([40]), "pads": pads}
    external = model([node("Conv", ["x", "w"], ["y"])], {"w": kernel}, [1, 3, 8, 8])
    _move_out(external.graph.initializer[0])
    return [
        model(resized, {"w": kernel, "s": scales}, [1, 3, 8, 8]),
        model(shaped, named, [1, 3, 4, 4]),
        external,
    ]


def _move_out(tensor: Any) -> None:
    from onnx import TensorProto

    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", "offset": "0", "length": "432"}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


@cache
def specs() -> list[bytes]:
    """The zoo, and a description of every family with all that it may state."""
    zoo = [path.read_bytes() for path in sorted((folder("targets").parent / "mnv2c/spec/zoo").glob("*.toml"))]
    texts = [
        TINY,
        to_toml(from_toml(TINY)),
        'family = "detector"\nwidth = 0.1\nresolution = "64x96"\nclasses = 4\nboxes = "torchvision"\n',
        'family = "segmenter"\nwidth = 0.1\nresolution = 33\nclasses = 4\naspp = true\noutput = "logits"\n',
    ]
    return [*zoo, *(text.encode() for text in texts)]


@cache
def small_specs() -> list[bytes]:
    """Descriptions of networks that are compiled within a second."""
    few = "rows = [[1, 4, 1, 1], [2, 8, 1, 2], [3, 8, 2, 1]]\n"
    detector = 'family = "detector"\nwidth = 0.1\nresolution = 64\nclasses = 4\n'
    segmenter = 'family = "segmenter"\nwidth = 0.1\nresolution = 33\nclasses = 4\n'
    texts = [TINY, to_toml(from_toml(TINY)), detector, segmenter + few, segmenter + few + "aspp = true\n"]
    return [text.encode() for text in texts]


@cache
def targets() -> list[bytes]:
    """Target files of every architecture, and the one that chooses among them."""
    names = ("cortex-a76", "cortex-a7", "x86-64-v3", "host")
    files = [folder("targets") / f"{name}.toml" for name in names]
    return [path.read_bytes() for path in files if path.exists()]


def tiny() -> ModelSpec:
    """The network of `TINY`."""
    return from_toml(TINY)


@cache
def weights() -> list[bytes]:
    """Weights of the tiny network with and without a card, and in half precision."""
    from safetensors.numpy import save

    from mnv2c.weights import Card, random_weights

    tensors = {name: np.asarray(value, order="C") for name, value in random_weights(tiny(), 0).items()}
    how = {"channels": "rgb", "fit": "crop", "interpolation": "bilinear", "crop": 0.875}
    how |= {"mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5]}
    card = Card("classifier", to_toml(tiny()), ("a", "b", "c"), how, {"steps": 3}, {"top1": 0.5}, "MIT", 7)
    half = {name: value.astype(np.float16) for name, value in tensors.items()}
    return [save(tensors), save(tensors, metadata=card.metadata()), save(half, metadata={"format": "pt"})]


@cache
def records() -> list[bytes]:
    """Files of records, as lines and as an array."""
    from mnv2c.records.record import to_line
    from tests.records.samples import cuts, record

    lines = [to_line(entry) for entry in (record(), record(rows=4, ratio=1.0, default=True), cuts())]
    old = '{"schema":2,"kind":"chain"}'
    return ["\n".join(lines).encode(), ("[\n" + ",\n".join(lines) + "\n]\n").encode(), f"{old}\n{lines[0]}".encode()]


@cache
def own_records() -> list[bytes]:
    """Records of the tiny network's own chains that say to run them as some other way than the default does."""
    from mnv2c.plan.network import ChainNode
    from mnv2c.planner.prepare import prepare
    from mnv2c.records.record import ChainRecord, CutsRecord, to_line
    from mnv2c.schedule.identity import chain_id, describe, network_id
    from mnv2c.targets import load
    from tests import pipeline

    with TemporaryDirectory() as folder:
        spec = Path(folder) / "tiny.toml"
        spec.write_text(TINY)
        network = pipeline.network(spec)
    prepared = prepare(network, "tiny", load("x86-64-v3"), 1)
    files = []
    for way in (0, -1):
        lines = []
        for at, node in enumerate(network.nodes):
            if isinstance(node, ChainNode):
                chosen = prepared.planner.options(at, at)[way].candidate.choice
                known = (node.label, chain_id(node.chain), describe(node.chain))
                lines.append(to_line(ChainRecord("x86-64-v3", 1, *known, chosen, ratio=0.5, spread=0.0)))
        cuts = CutsRecord("x86-64-v3", 1, "tiny", network_id(network), (0, 1), 0.5, 1.0)
        files.append("\n".join([*lines, to_line(cuts)]).encode())
    return files


@cache
def pictures() -> list[bytes]:
    """A picture in every format and mode that the library in use can write."""
    from PIL import Image

    ramp = np.arange(5 * 7 * 4, dtype=np.uint8).reshape(5, 7, 4)
    rgba = Image.fromarray(ramp)
    found = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"):
        picture = (
            Image.fromarray(ramp[..., 0].astype(np.uint16)) if mode == "I;16" else rgba.convert("RGB").convert(mode)
        )
        for kind, options in _formats():
            file = BytesIO()
            try:
                picture.save(file, kind, **options)
            except (OSError, ValueError, KeyError, SystemError, TypeError, AttributeError):
                continue  # a mode that the format does not have
            if len(file.getvalue()) < 4000:
                found.append(file.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    file = BytesIO()
    rgba.convert("RGB").save(file, "JPEG", exif=exif)
    return [*found, file.getvalue(), EPS]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"


def _formats() -> list[tuple[str, dict[str, Any]]]:
    extra: list[tuple[str, dict[str, Any]]] = [
        ("JPEG", {"progressive": True}),
        ("PNG", {"interlace": 1}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ]
    plain = "PNG JPEG GIF BMP TIFF WEBP PPM ICO TGA DDS AVIF JPEG2000 PCX SGI IM MSP XBM SPIDER QOI ICNS MPO DIB"
    return [(kind, {}) for kind in plain.split()] + extra


@cache
def labels() -> list[bytes]:
    """Files of names."""
    return [b"cat\ndog\n", "\ufefféte\r\nÜber\n".encode(), b"", "a\u2028b\x0bc\n".encode(), b"background\n" * 30]


@cache
def descriptions() -> list[bytes]:
    """The `NAME.json` of a compiled library (`LIBRARY`), and one that says of it that it has kernels for two CPUs."""
    made = json.loads(next(library().glob("*.json")).read_bytes())
    own = {key: made[key] for key in ("target", "chains", "fallbacks", "buffers") if key in made}
    several = {**made, "variants": [own, {**own, "target": {**made["target"], "name": "x86-64-v4"}}]}
    return [json.dumps(entry).encode() for entry in (made, several)]


def library() -> Path:
    """The folder of a compiled classifier, `$MNV2C_FUZZ_LIBRARY`, with no other JSON file in it than `NAME.json`."""
    return Path(os.environ[LIBRARY])


def make_library(folder: Path) -> Path:
    """Compile the tiny network for this machine into a new folder."""
    import mnv2c

    spec = folder / "tiny.toml"
    spec.write_text(TINY)
    made = mnv2c.compile(spec, output=folder / "library", name="tiny", schedules="none")
    return made.directory


def keep_library(compiled: Path, name: str, folder: Path) -> Path:
    """Copy what a library needs to run into a new folder, which becomes `$MNV2C_FUZZ_LIBRARY`."""
    folder.mkdir(parents=True)
    for path in (compiled / f"{name}.json", *compiled.glob(f"lib{name}.so*")):
        shutil.copy(path, folder / path.name)
    os.environ[LIBRARY] = str(folder)
    return folder


@cache
def options() -> list[bytes]:
    """Command lines, a word a line, of verbs that get far enough without compiling."""
    lines = (
        "inspect MODEL --width 0.5 --resolution 96x160 --classes 10",
        "inspect MODEL --resolution 224 --json",
        "plan NONE --target x86-64-v3 --arena-limit 100000 --threads 2 --schedules none --resolution 64",
        "compile NONE -o OUT --width 1.4 --resolution 96 --classes 5 --seed 3 --weights W.safetensors",
        "compile NONE -o OUT --mean 0.5,0.5,0.5 --std 0.5 --fit crop --channels bgr --name net --dtype float32",
        "compile NONE -o OUT --target x86-64-v3 --libc gnu --batch 1 --threads 4 --arena-limit 1000 --no-join",
        "compile NONE -o OUT --target cortex-a76+cortex-a53 --libc musl --schedules none --weights-source timm",
        "run OUT P.png --top 5 --score 0.5 --threads 2 --variant x",
        "verify OUT --seed 3",
        "schedules show bottleneck_02 --target cortex-a76",
        "targets cortex-a76",
    )
    return ["\n".join(line.split()).encode() for line in lines]
