"""The PyTorch modules against onnxruntime on the emitted model: two implementations that share only the spec."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import onnxruntime
import pytest

from mnv2c.errors import WeightsError
from mnv2c.spec import ModelSpec, load
from mnv2c.spec.cost import cost
from mnv2c.spec.table2 import Row
from mnv2c.to_onnx import emit, serialize
from mnv2c.verification.tolerance import FLOAT32
from mnv2c.weights import random_weights

torch = pytest.importorskip(
    "torch", reason="PyTorch is missing: pip install 'mnv2c[torch]' to test mnv2c.learning.reference"
)

from mnv2c.learning.reference import Classifier, load_weights  # noqa: E402 (needs PyTorch)

SMALL = load("mobilenet_v2", width=0.35, resolution="65x47", classes=7)
VARIANTS = {
    "odd, symmetric": {},
    "odd, tf_same": {"padding": "tf_same", "bn_epsilon": 1e-3},
    "even, symmetric": {"height": 64, "image_width": 96},
    "even, tf_same": {"height": 64, "image_width": 96, "padding": "tf_same"},
    "one pixel remains": {"height": 32, "image_width": 33},
    "width 0.5": {"width": 0.5},
    "width 0.75, tf_same": {"width": 0.75, "padding": "tf_same"},
    "width 1": {"width": 1.0},
    "width 1.1": {"width": 1.1},
    "width 1.4": {"width": 1.4, "classes": 11},
    "fixed stem and head": {"width": 1.2, "stem_head": "fixed"},
    "stride 16": {"output_stride": 16},
    "stride 16, tf_same": {"output_stride": 16, "padding": "tf_same"},
    "stride 8": {"output_stride": 8},
    "stride 8, tf_same": {"output_stride": 8, "padding": "tf_same", "height": 70},
    "relu6 bottlenecks": {"bottleneck_activation": "relu6"},
    "expansion shortcut": {"shortcut": "expansion"},
    "expansion shortcut, stride 16": {"shortcut": "expansion", "output_stride": 16},
    "expansion shortcut, one pixel": {"shortcut": "expansion", "height": 32, "image_width": 32},
    "no shortcut": {"shortcut": "none"},
    "expansion 1": {"expansion": 1},
    "expansion 4": {"expansion": 4},
    "other rows": {"rows": (Row(1, 16, 2, 1), Row(6, 24, 2, 2), Row(3, 40, 3, 2)), "width": 0.5},
}


def image_for(spec: ModelSpec) -> np.ndarray:
    shape = (2, spec.height, spec.image_width, 3)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def onnxruntime_on(spec: ModelSpec, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(serialize(emit(spec, weights)), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"input": image[None]})[0] for image in images])


def assert_alike(spec: ModelSpec) -> None:
    weights, images = random_weights(spec, 3), image_for(spec)
    wanted = onnxruntime_on(spec, weights, images)
    network = load_weights(Classifier(spec, layout="nhwc"), weights)
    with torch.inference_mode():
        found = network(torch.from_numpy(images)).numpy()
    assert found.shape == wanted.shape == (2, spec.classes)
    assert np.abs(found - wanted).max() <= FLOAT32 * np.abs(wanted).max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_agrees_with_onnxruntime(variant: str) -> None:
    assert_alike(replace(SMALL, **VARIANTS[variant]))


@pytest.mark.parametrize("name", ["mobilenetv2_110d", "mobilenet_v2_slim"])
def test_models_of_the_zoo_agree_with_onnxruntime(name: str) -> None:
    assert_alike(load(name, resolution="96x67"))


def test_layouts_are_the_same_network() -> None:
    weights, images = random_weights(SMALL, 3), torch.from_numpy(image_for(SMALL))
    first, last = (load_weights(Classifier(SMALL, layout=layout), weights) for layout in ("nchw", "nhwc"))
    with torch.inference_mode():
        torch.testing.assert_close(first(images.permute(0, 3, 1, 2)), last(images))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenetv2_120d", "mobilenet_v2_slim"])
def test_trainable_parameters(name: str) -> None:
    network = Classifier(load(name))
    assert sum(prod(parameter.shape) for parameter in network.parameters()) == cost(load(name)).parameters


def test_it_trains() -> None:
    network = Classifier(SMALL).train()
    network(torch.zeros(2, 3, 65, 47)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_other_weights_are_refused() -> None:
    weights = random_weights(SMALL, 0)
    network = Classifier(SMALL)
    with pytest.raises(WeightsError, match=r'"stem\.conv\.weight" is missing'):
        load_weights(network, {name: tensor for name, tensor in weights.items() if name != "stem.weight"})
    with pytest.raises(WeightsError, match=r'"more\.conv\.weight" is not part of the network'):
        load_weights(network, weights | {"more.weight": weights["stem.weight"]})
    with pytest.raises(WeightsError, match=r'"more" is not part of any network'):
        load_weights(network, weights | {"more": weights["stem.weight"]})
    with pytest.raises(WeightsError, match=r"is \(16, 3, 3, 3\), not \(32, 3, 3, 3\)"):
        load_weights(Classifier(replace(SMALL, width=1.0)), weights)
