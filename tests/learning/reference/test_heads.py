"""Detectors and segmenters as PyTorch modules against onnxruntime on the emitted model."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import onnx
import onnxruntime
import pytest

from mnv2c.spec import ModelSpec, available, load
from mnv2c.spec.cost import cost
from mnv2c.spec.table2 import Row
from mnv2c.to_onnx import emit, serialize
from mnv2c.verification.tolerance import FLOAT32
from mnv2c.weights import expected, random_weights

torch = pytest.importorskip(
    "torch", reason="PyTorch is missing: pip install 'mnv2c[torch]' to test mnv2c.learning.reference"
)

from mnv2c.learning.reference import Detector, Segmenter, load_weights  # noqa: E402 (needs PyTorch)
from mnv2c.learning.reference.load import module_name  # noqa: E402

SSDLITE = load("ssdlite_mobilenet_v2", width=0.35, resolution="65x97", classes=5)
DEEPLAB = replace(load("deeplabv3_mobilenet_v2", width=0.35, resolution="65x97", classes=5), output="logits")
DETECTORS = {
    "TensorFlow": {},
    "one pixel in every map": {"height": 32, "image_width": 32},
    "torchvision": {"boxes": "torchvision", "padding": "symmetric"},
    "qfgaohao": {"detector_head": "qfgaohao", "boxes": "qfgaohao", "padding": "symmetric", "bn_epsilon": 1e-5},
    "regular": {"detector_head": "ssd"},
    "one slot": {"classes": 1},
    "width 0.75": {"width": 0.75},
    "expansion shortcut": {"shortcut": "expansion"},
    "tap without expansion": {"rows": (Row(1, 16, 2, 1), Row(6, 24, 2, 2), Row(1, 40, 3, 2))},
    "tap is the stem": {"rows": (Row(1, 16, 2, 2),)},
}
SEGMENTERS = {
    "stride 16": {},
    "stride 8": {"output_stride": 8},
    "ASPP": {"aspp": True},
    "ASPP, stride 8, even size": {"aspp": True, "output_stride": 8, "height": 64, "image_width": 96},
    "ASPP, symmetric": {"aspp": True, "padding": "symmetric"},
    "relu6": {"head_activation": "relu6", "head_bn_epsilon": 1e-3},
    "one pixel": {"height": 32, "image_width": 32, "output_stride": 32},
    "width 1, one class": {"width": 1.0, "classes": 1},
}


def image_for(spec: ModelSpec) -> np.ndarray:
    shape = (1, spec.height, spec.image_width, 3)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def onnxruntime_on(spec: ModelSpec, weights: dict[str, np.ndarray], *more: str) -> list[np.ndarray]:
    model = emit(spec, weights)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in more)
    session = onnxruntime.InferenceSession(serialize(model), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"input": image_for(spec)}))


def assert_close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.ptp(wanted) > 0.01
    assert np.abs(found - wanted).max() <= FLOAT32 * np.abs(wanted).max()


@pytest.mark.parametrize("variant", DETECTORS)
def test_detectors_agree_with_onnxruntime(variant: str) -> None:
    spec = replace(SSDLITE, **DETECTORS[variant])
    weights = random_weights(spec, 3)
    network = load_weights(Detector(spec, layout="nhwc"), weights)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(image_for(spec)))
    for found, wanted in zip(outputs, onnxruntime_on(spec, weights), strict=True):
        assert_close(found.numpy(), wanted)


@pytest.mark.parametrize("variant", SEGMENTERS)
def test_segmenters_agree_with_onnxruntime(variant: str) -> None:
    spec = replace(DEEPLAB, **SEGMENTERS[variant])
    weights = random_weights(spec, 3)
    network = load_weights(Segmenter(spec, layout="nhwc"), weights)
    with torch.inference_mode():
        found = network(torch.from_numpy(image_for(spec)))
    (wanted,) = onnxruntime_on(spec, weights)
    assert_close(found.numpy(), wanted)


@pytest.mark.parametrize("align_corners", [False, True])
def test_masks_agree_with_onnxruntime(align_corners: bool) -> None:
    """Wherever the best class leads by more than rounding can change."""
    spec = replace(DEEPLAB, output="mask", align_corners=align_corners, output_stride=8)
    weights = random_weights(spec, 3)
    network = load_weights(Segmenter(spec, layout="nhwc"), weights)
    with torch.inference_mode():
        found = network(torch.from_numpy(image_for(spec))).numpy()
    wanted, logits = onnxruntime_on(spec, weights, "head.upsample")
    assert found.dtype == wanted.dtype == np.uint8
    assert found.shape == wanted.shape == (1, spec.height, spec.image_width)
    best, second = np.sort(logits, axis=1)[:, ::-1].swapaxes(0, 1)[:2]
    clear = best - second > FLOAT32 * np.abs(logits).max()
    assert clear.mean() > 0.99
    assert len(np.unique(wanted)) > 1
    np.testing.assert_array_equal(found[clear], wanted[clear])


@pytest.mark.parametrize("name", [name for name in available() if load(name).family != "classifier"])
def test_parameters_and_names_are_the_weights(name: str) -> None:
    spec = load(name)
    network = (Detector if spec.family == "detector" else Segmenter)(spec)
    assert sum(prod(parameter.shape) for parameter in network.parameters()) == cost(spec).parameters
    own = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items() if "num_batches" not in key}
    assert own == {module_name(key): shape for key, shape in expected(spec).items()}


def test_they_train() -> None:
    rows = (Row(1, 8, 1, 1), Row(6, 8, 1, 2))
    boxes, scores = Detector(replace(SSDLITE, rows=rows)).train()(torch.rand(2, 3, 64, 64))
    logits = Segmenter(replace(DEEPLAB, rows=rows, aspp=True)).train()(torch.rand(2, 3, 33, 49))
    assert boxes.shape[:2] == scores.shape[:2] and logits.shape == (2, 9, 13, 5)
    (boxes.sum() + scores.sum() + logits.sum()).backward()
