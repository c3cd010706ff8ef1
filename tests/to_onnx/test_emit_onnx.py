"""The emitted model: checked, reproducible, the spec's shapes, and the numbers of an independent walk in NumPy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.errors import WeightsError
from mnv2c.spec import Layer, ModelSpec, layers, load
from mnv2c.spec.table2 import Row
from mnv2c.to_onnx import IR_VERSION, OPSET, emit, serialize
from mnv2c.weights import random_weights

SMALL = load("mobilenet_v2", width=0.35, resolution="33x47", classes=7)
SHORT = (Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(6, 32, 3, 2), Row(6, 64, 2, 2))


def run_all(model: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    """Run with onnxruntime, unoptimised, and return every tensor by name."""
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output]
    inner = [onnx.ValueInfoProto(name=name) for name in names if name not in known]
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


def upsample(image: np.ndarray, size: int, axis: int, align_corners: bool) -> np.ndarray:
    """Linear interpolation along one axis, by its definition."""
    length = image.shape[axis]
    if align_corners:
        places = np.arange(size) * ((length - 1) / max(size - 1, 1))
    else:
        places = ((np.arange(size) + 0.5) * length / size - 0.5).clip(0, length - 1)
    low = np.floor(places).astype(int)
    share = (places - low).reshape([-1 if dimension == axis else 1 for dimension in range(3)])
    return image.take(low, axis) * (1 - share) + image.take(np.minimum(low + 1, length - 1), axis) * share


def weightless(layer: Layer, inputs: list[np.ndarray], spec: ModelSpec) -> np.ndarray:
    """A layer without weights on (height, width, channels)."""
    if layer.kind == "add":
        return inputs[0] + inputs[1]
    if layer.kind == "pool":
        return inputs[0].mean((0, 1), keepdims=True)
    if layer.kind == "broadcast":
        return np.broadcast_to(inputs[0], layer.output_shape)
    if layer.kind == "concat":
        return np.concatenate(inputs, axis=2)
    if layer.kind == "stack":
        return np.concatenate([value.reshape(1, -1, layer.output_shape[2]) for value in inputs], axis=1)
    if layer.kind == "resize":
        rows = upsample(inputs[0], layer.output_shape[0], 0, spec.align_corners)
        return upsample(rows, layer.output_shape[1], 1, spec.align_corners)
    assert layer.kind == "argmax"
    return inputs[0].argmax(2)[..., None]


def walk(spec: ModelSpec, weights: dict[str, np.ndarray], image: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output in float64, straight from the definitions."""
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    outputs: dict[str, np.ndarray] = {}
    for layer in layers(spec):
        inputs = [outputs[name] for name in layer.inputs] or [image[0].astype(np.float64)]
        if not layer.weight_shape:
            outputs[layer.name] = weightless(layer, inputs, spec)
        elif layer.kind == "dense":
            outputs[layer.name] = inputs[0] @ weights["head.dense.weight"].T + weights["head.dense.bias"]
        elif layer.has_bias:
            value = convolve(layer, inputs[0], weights[f"{layer.name}.weight"])
            outputs[layer.name] = value + weights[f"{layer.name}.bias"]
        else:
            gamma, beta, mean, variance = (
                weights[f"{layer.name}.bn.{field}"] for field in ("gamma", "beta", "mean", "variance")
            )
            value = convolve(layer, inputs[0], weights[f"{layer.name}.weight"])
            epsilon = spec.head_bn_epsilon if layer.name.startswith("head.") else spec.bn_epsilon
            epsilon = epsilon if spec.family == "segmenter" else spec.bn_epsilon
            value = (value - mean) / np.sqrt(variance + epsilon) * gamma + beta
            limits = {"relu6": (0, 6), "relu": (0, None), "linear": (None, None)}[layer.activation]
            outputs[layer.name] = value if limits == (None, None) else np.clip(value, *limits)
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


SSDLITE = load("ssdlite_mobilenet_v2", width=0.35, resolution="33x47", classes=3)
DEEPLAB = load("deeplabv3_mobilenet_v2", width=0.35, resolution="33x47", classes=4)
HEADS = {
    "ssdlite": (SSDLITE, {}),
    "ssd": (SSDLITE, {"detector_head": "ssd", "padding": "symmetric"}),
    "qfgaohao": (SSDLITE, {"detector_head": "qfgaohao", "boxes": "qfgaohao"}),
    "mask": (DEEPLAB, {}),
    "half-pixel mask, ASPP": (DEEPLAB, {"align_corners": False, "aspp": True, "output_stride": 8}),
    "relu6": (DEEPLAB, {"output": "logits", "head_activation": "relu6", "head_bn_epsilon": 0.01}),
    "mask of one pixel": (DEEPLAB, {"output_stride": 32, "height": 32, "image_width": 32}),
}


@pytest.mark.parametrize("case", HEADS)
def test_every_layer_of_detectors_and_segmenters_equals_the_walk(case: str) -> None:
    base, changes = HEADS[case]
    spec = replace(base, rows=SHORT, **changes)
    weights, image = random_weights(spec, 5), image_for(spec)
    found = run_all(emit(spec, weights), image)
    values = walk(spec, weights, image)
    for layer in layers(spec):
        value = values[layer.name]
        if layer.kind == "argmax":
            logits = np.sort(values["head.upsample"], axis=2)
            clear = logits[..., -1] - logits[..., -2] > 1e-4
            assert found["mask"].dtype == np.uint8 and clear.mean() > 0.99
            np.testing.assert_array_equal(found["mask"][0][clear], value[..., 0][clear])
            continue
        wanted = value if layer.kind == "stack" else value.transpose(2, 0, 1)[None]
        assert found[layer.name].shape == wanted.shape
        assert np.abs(found[layer.name] - wanted).max() <= 2e-5 * np.abs(wanted).max(), layer.name
    if spec.output == "logits":
        np.testing.assert_array_equal(found["logits"], found["head.classes"].transpose(0, 2, 3, 1))


def specs_of(base: ModelSpec, **fields: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(
        lambda **changes: replace(base, rows=SHORT, **changes),
        width=st.sampled_from([0.1, 0.35, 0.77, 1.3]),
        height=st.integers(32, 150),
        image_width=st.integers(32, 150),
        classes=st.integers(1, 9),
        padding=st.sampled_from(["symmetric", "tf_same"]),
        **fields,
    )


@settings(max_examples=12)
@given(
    specs_of(
        SSDLITE,
        detector_head=st.sampled_from(["ssdlite", "ssd", "qfgaohao"]),
        boxes=st.sampled_from(["tf_object_detection", "torchvision", "qfgaohao"]),
    )
    | specs_of(
        DEEPLAB,
        output_stride=st.sampled_from([32, 16, 8]),
        aspp=st.booleans(),
        output=st.sampled_from(["mask", "logits"]),
        align_corners=st.booleans(),
    )
)
def test_any_size_and_any_convention(spec: ModelSpec) -> None:
    """``emit`` compares every shape with ONNX's own inference; onnxruntime then runs what it gives."""
    session = onnxruntime.InferenceSession(serialize(emit(spec, random_weights(spec, 0))))
    shapes = [output.shape for output in session.get_outputs()]
    values = session.run(None, {"input": image_for(spec)})
    assert [list(value.shape) for value in values] == shapes
    assert all(np.isfinite(value).all() for value in values)


def interface(spec: ModelSpec) -> dict[str, tuple[int, list[int]]]:
    """Data type and shape of every output."""
    outputs = emit(spec, random_weights(spec, 0)).graph.output
    return {
        output.name: (
            output.type.tensor_type.elem_type,
            [extent.dim_value for extent in output.type.tensor_type.shape.dim],
        )
        for output in outputs
    }


def test_outputs_of_detectors_and_segmenters() -> None:
    found = interface(SSDLITE)
    assert list(found) == ["boxes", "scores"]
    assert found == {"boxes": (onnx.TensorProto.FLOAT, [1, 75, 4]), "scores": (onnx.TensorProto.FLOAT, [1, 75, 3])}
    assert interface(DEEPLAB) == {"mask": (onnx.TensorProto.UINT8, [1, 33, 47])}
    assert interface(replace(DEEPLAB, output="logits")) == {"logits": (onnx.TensorProto.FLOAT, [1, 3, 3, 4])}


def test_of_equal_logits_the_lowest_class_is_taken() -> None:
    weights = random_weights(DEEPLAB, 0)
    for name in ("head.classes.weight", "head.classes.bias"):
        weights[name] = np.zeros_like(weights[name])
    assert not run_all(emit(DEEPLAB, weights), image_for(DEEPLAB))["mask"].any()


@pytest.mark.parametrize("name", ["ssdlite_mobilenet_v2", "deeplabv3_mobilenet_v2"])
def test_nodes_of_detectors_and_segmenters(golden, name: str) -> None:
    spec = replace(load(name, width=0.35, resolution=32, classes=3), rows=SHORT[:2])
    model = emit(spec, random_weights(spec, 0))
    lines = [f"{node.op_type} {' '.join(node.input)} -> {' '.join(node.output)}" for node in model.graph.node]
    golden(f"{name}.txt", "\n".join(lines) + "\n")


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


@pytest.mark.parametrize("name", ["ssdlite_mobilenet_v2", "mb2_ssd_lite"])
def test_random_detectors_find_something_here_and_there(name: str) -> None:
    spec = load(name, width=0.35, resolution=160)
    found = run_all(emit(spec, random_weights(spec, 0)), image_for(spec))
    scores, boxes = found["scores"][0], found["boxes"][0]
    above = scores[:, 1:] > 0 if spec.boxes == "tf_object_detection" else scores[:, 1:] > scores[:, :1]
    assert 0.001 < above.mean() < 0.1
    assert 0.5 < boxes.std() < 2 and np.abs(boxes).max() < 10


def test_random_segmenters_show_several_classes() -> None:
    spec = load("deeplabv3_mobilenet_v2", width=0.35, resolution=97)
    found = run_all(emit(spec, random_weights(spec, 0)), image_for(spec))["mask"]
    counts = np.bincount(found.ravel(), minlength=21)
    assert np.count_nonzero(counts) >= 5 and counts.max() < 0.9 * found.size


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
