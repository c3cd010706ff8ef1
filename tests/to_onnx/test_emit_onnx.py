"""The emitted model: checked, reproducible, the spec's shapes, and the numbers of an independent walk in NumPy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from mnv2c.errors import WeightsError
from mnv2c.spec import Layer, ModelSpec, layers, load
from mnv2c.spec.table2 import Row
from mnv2c.to_onnx import IR_VERSION, OPSET, emit, serialize
from mnv2c.weights import random_weights

SMALL = load("mobilenet_v2", width=0.35, resolution="33x47", classes=7)
SHORT = (Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(6, 32, 3, 2), Row(6, 64, 2, 2))


def run_all(model: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    """Run with onnxruntime, unoptimised, and return every tensor by name."""
    names = [name for node in model.graph.node for name in node.output]
    inner = [onnx.ValueInfoProto(name=name) for name in names if name != "logits"]
    copy = onnx.ModelProto.FromString(serialize(model))
    copy.graph.output.extend(inner)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(serialize(copy), options, providers=["CPUExecutionProvider"])
    wanted = [output.name for output in session.get_outputs()]
    return dict(zip(wanted, session.run(wanted, {"input": image}), strict=True))


def image_for(spec: ModelSpec, seed: int = 0) -> np.ndarray:
    shape = (1, spec.height, spec.image_width, 3)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def convolve(layer: Layer, image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A convolution in float64 on (height, width, channels): one shifted, strided view for each tap."""
    padded = np.pad(image, (*layer.padding, (0, 0)))
    height, width, channels = layer.output_shape
    result = np.zeros(layer.output_shape)
    for i in range(layer.kernel[0]):
        for j in range(layer.kernel[1]):
            top, left = i * layer.dilation[0], j * layer.dilation[1]
            view = padded[top :: layer.stride[0], left :: layer.stride[1]][:height, :width]
            tap = weight[:, :, i, j]
            result += view * tap[:, 0] if layer.groups == channels else view @ tap.T
    return result


def walk(spec: ModelSpec, weights: dict[str, np.ndarray], image: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output in float64, straight from the definitions."""
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    outputs: dict[str, np.ndarray] = {}
    for layer in layers(spec):
        inputs = [outputs[name] for name in layer.inputs] or [image[0].astype(np.float64)]
        if layer.kind == "add":
            outputs[layer.name] = inputs[0] + inputs[1]
        elif layer.kind == "pool":
            outputs[layer.name] = inputs[0].mean((0, 1), keepdims=True)
        elif layer.kind == "dense":
            outputs[layer.name] = inputs[0] @ weights["head.dense.weight"].T + weights["head.dense.bias"]
        else:
            gamma, beta, mean, variance = (
                weights[f"{layer.name}.bn.{field}"] for field in ("gamma", "beta", "mean", "variance")
            )
            value = convolve(layer, inputs[0], weights[f"{layer.name}.weight"])
            value = (value - mean) / np.sqrt(variance + spec.bn_epsilon) * gamma + beta
            outputs[layer.name] = np.clip(value, 0, 6) if layer.activation == "relu6" else value
    return outputs


VARIANTS = {
    "symmetric": {},
    "tf_same": {"padding": "tf_same", "bn_epsilon": 1e-3},
    "tf_same even": {"padding": "tf_same", "height": 32, "image_width": 48},
    "symmetric even": {"height": 32, "image_width": 48},
    "stride 16": {"output_stride": 16},
    "stride 8": {"output_stride": 8, "padding": "tf_same"},
    "relu6 bottlenecks": {"bottleneck_activation": "relu6"},
    "expansion shortcut": {"shortcut": "expansion"},
    "no shortcut": {"shortcut": "none"},
    "expansion 1": {"expansion": 1},
    "short": {"rows": SHORT, "width": 0.5},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layer_equals_the_walk(variant: str) -> None:
    spec = replace(SMALL, **VARIANTS[variant])
    weights, image = random_weights(spec, 5), image_for(spec)
    found = run_all(emit(spec, weights), image)
    for name, value in walk(spec, weights, image).items():
        wanted = value.reshape(1, -1) if name == "head.dense" else value.transpose(2, 0, 1)[None]
        assert found[name].shape == wanted.shape
        assert np.abs(found[name] - wanted).max() <= 2e-5 * np.abs(wanted).max(), name
    np.testing.assert_array_equal(found["logits"], found["head.dense"])


def test_versions_and_interface() -> None:
    model = emit(SMALL, random_weights(SMALL, 0))
    assert (model.ir_version, model.opset_import[0].version, len(model.opset_import)) == (IR_VERSION, OPSET, 1)
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, [extent.dim_value for extent in image.type.tensor_type.shape.dim]) == ("input", [1, 33, 47, 3])
    assert (logits.name, [extent.dim_value for extent in logits.type.tensor_type.shape.dim]) == ("logits", [1, 7])
    onnx.checker.check_model(model, full_check=True)


def test_every_tensor_has_an_inferred_shape() -> None:
    model = emit(SMALL, random_weights(SMALL, 0))
    known = {info.name for info in (*model.graph.value_info, *model.graph.output)}
    assert {name for node in model.graph.node for name in node.output} <= known


def test_nodes(golden) -> None:
    model = emit(replace(SMALL, rows=SHORT, padding="tf_same"), random_weights(replace(SMALL, rows=SHORT), 0))
    lines = [f"{node.op_type} {' '.join(node.input)} -> {' '.join(node.output)}" for node in model.graph.node]
    golden("nodes.txt", "\n".join(lines) + "\n")


def test_equal_inputs_give_equal_bytes() -> None:
    """In another process too, whatever the order of the weights and the hash seed."""
    weights = random_weights(SMALL, 0)
    first = serialize(emit(SMALL, weights))
    assert serialize(emit(SMALL, dict(reversed(weights.items())))) == first
    script = (
        "import sys; from mnv2c.spec import load; from mnv2c.to_onnx import emit, serialize\n"
        "from mnv2c.weights import random_weights\n"
        "spec = load('mobilenet_v2', width=0.35, resolution='33x47', classes=7)\n"
        "sys.stdout.buffer.write(serialize(emit(spec, random_weights(spec, 0))))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == first


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match="3 classes"):
        emit(replace(SMALL, classes=3), random_weights(SMALL, 0))


@pytest.mark.parametrize("width", [0.35, 1.0])
def test_random_weights_keep_activations_alive(width: float) -> None:
    spec = load("mobilenet_v2", width=width, resolution=96)
    found = run_all(emit(spec, random_weights(spec, 0)), image_for(spec))
    for layer in layers(spec):
        value = found[layer.name]
        if layer.activation == "relu6":
            assert 0.1 < (value == 0).mean() < 0.5, layer.name
            assert 0.3 < value.mean() < 4, layer.name
        elif layer.kind in ("project", "add"):
            assert 0.3 < value.std() < 4, layer.name
    assert any((found[layer.name] == 6).mean() > 0.01 for layer in layers(spec)[-3:-2])
    assert 1 < np.abs(found["logits"]).max() < 30
    other = run_all(emit(spec, random_weights(spec, 0)), image_for(spec, seed=1))
    assert np.abs(other["logits"] - found["logits"]).max() > 0.1
