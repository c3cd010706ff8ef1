"""Networks in the style of every exporter: one chain per block, no fallback, equal to onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import mnv2c
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.plan.network import Network
from mnv2c.verification import tolerance
from tests.foreign.exporters import DYNAMO, KERAS, STYLES, TORCHSCRIPT, Style, network, saved
from tests.pipeline import fuse

V2 = ["stem_bottleneck_01", "bottleneck_02", "bottleneck_03"]
V1 = ["stem_bottleneck_01", "bottleneck_02", "bottleneck_03"]


def fused(model: onnx.ModelProto) -> Network:
    inferred, _ = parse_onnx(model.SerializeToString(), Path("."))
    return fuse(inferred)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_every_style_becomes_the_same_chains(style: Style) -> None:
    found = fused(network(style))
    assert [node.operator for node in found.fallbacks] == []
    labels = [node.label for node in found.nodes]
    assert labels == [*V2, "head", "convolution" if style.head == "conv" else "dense"]
    kinds = [[str(stage.kind) for stage in node.chain.stages] for node in found.chains]
    assert kinds[0] == ["stem", "depthwise", "project"]
    assert kinds[2] == ["expand", "depthwise", "project", "add"]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("style", [TORCHSCRIPT, KERAS, Style(act="relu")], ids=["torchscript", "keras", "relu"])
def test_mobilenet_v1_and_wide_windows_fuse(style: Style, kernel: int) -> None:
    found = fused(network(style, family="v1", kernel=kernel))
    assert found.fallbacks == ()
    assert [node.label for node in found.nodes] == [*V1, "pool", "dense"]
    assert {stage.window.kernel for node in found.chains for stage in node.chain.stages} >= {(kernel, kernel)}


def test_an_nchw_file_keeps_its_layout_and_the_first_kernel_reads_it() -> None:
    found = fused(network(TORCHSCRIPT))
    assert found.tensors["image"].shape == (1, 3, 16, 16)
    assert found.tensors["image"].order == "NCHW"
    assert found.chains[0].chain.is_planar("input_0")
    assert not any(node.chain.input_orders for node in found.chains[1:])


def test_an_nhwc_file_keeps_its_layout() -> None:
    found = fused(network(KERAS))
    assert (found.tensors["image"].shape, found.tensors["image"].order) == ((1, 16, 16, 3), "NHWC")
    assert not any(node.chain.input_orders for node in found.chains)


@pytest.mark.parametrize("name", ["torchscript", "dynamo", "keras", "opset 9", "average pool, conv head"])
def test_compiled_libraries_equal_onnxruntime(name: str, tmp_path: Path) -> None:
    style = STYLES[name]
    path = saved(network(style, kernel=5 if name == "dynamo" else 3), tmp_path / "foreign.onnx")
    made = mnv2c.compile(path, output=tmp_path / "out")
    assert made.metadata["fallbacks"] == []
    report = mnv2c.verify(made.directory)
    assert report.passed
    assert len(report.comparisons) >= 5
    mnv2c.load(made.directory).selftest()


def test_the_caller_hands_over_what_onnxruntime_takes(tmp_path: Path) -> None:
    path = saved(network(TORCHSCRIPT), tmp_path / "foreign.onnx")
    made = mnv2c.compile(path, output=tmp_path / "out")
    described = json.loads((made.directory / "foreign.json").read_text())
    assert described["inputs"][0]["layout"] == "NCHW"
    assert described["inputs"][0]["shape"] == [1, 3, 16, 16]
    assert 'Input 0, "image": float32 NCHW [1, 3, 16, 16]' in (made.directory / "foreign.h").read_text()
    image = np.random.default_rng(1).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"image": image})
    assert tolerance.relative_error(mnv2c.load(made.directory)(image), wanted) <= tolerance.FLOAT32


def test_weights_in_a_file_beside_the_model_are_taken_into_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "split.onnx"
    onnx.save(network(DYNAMO), path, save_as_external_data=True, location="split.onnx.data", size_threshold=0)
    made = mnv2c.compile(path, output=tmp_path / "out")
    assert mnv2c.verify(made.directory).passed
    reference = onnx.load(made.directory / "split.onnx", load_external_data=False)
    assert not any(tensor.data_location == tensor.EXTERNAL for tensor in reference.graph.initializer)


def test_pictures_are_classified_by_a_planar_library(tmp_path: Path) -> None:
    from PIL import Image

    made = mnv2c.compile(saved(network(TORCHSCRIPT), tmp_path / "foreign.onnx"), output=tmp_path / "out")
    pixels = np.random.default_rng(2).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 64)).save(tmp_path / "picture.png")
    (prediction,) = mnv2c.run(made.directory, [tmp_path / "picture.png"])
    assert len(prediction.best) == 5
    assert sum(entry.score for entry in prediction.best) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "resolution", "outputs"),
    [
        ("ssdlite_mobilenet_v2", 96, {"boxes": "float32", "scores": "float32"}),
        ("ssd_mobilenet_v2", 96, {"boxes": "float32", "scores": "float32"}),
        ("deeplabv3_mobilenet_v2", 65, {"mask": "uint8"}),
        ("deeplabv3_mobilenet_v2_aspp", 65, {"mask": "uint8"}),
    ],
)
def test_exported_detectors_and_segmenters_fuse_completely(
    name: str, resolution: int, outputs: dict[str, str], tmp_path: Path
) -> None:
    path = mnv2c.export(name, tmp_path / "net.onnx", width=0.35, resolution=resolution)
    found = fused(onnx.load(path))
    assert [node.operator for node in found.fallbacks] == []
    assert {found.tensors[tensor].onnx_name: found.tensors[tensor].dtype for tensor in found.outputs} == outputs


@pytest.mark.emulated
def test_planes_are_read_on_arm(tmp_path: Path) -> None:
    path = saved(network(TORCHSCRIPT, size=24, kernel=5), tmp_path / "foreign.onnx")
    made = mnv2c.compile(path, "cortex-a76", output=tmp_path / "out")
    assert mnv2c.verify(made.directory).passed
