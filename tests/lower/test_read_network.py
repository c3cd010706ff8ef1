"""MobileNetV2 as a network: every bottleneck one chain, nothing left over, windows and labels as the spec says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from onnx import helper

from mnv2c.errors import OnnxError
from mnv2c.plan.chain import RELU6, StageKind
from mnv2c.plan.network import ChainNode
from mnv2c.spec import layers, load
from tests.pipeline import fuse
from tests.plan.networks import chains_of, changed, network
from tests.to_relax.graphs import model

WIDTHS = (0.35, 1.0, 1.4)
LABELS = ["stem_bottleneck_01", *(f"bottleneck_{number:02d}" for number in range(2, 18)), "head", "dense"]
WITH_SHORTCUT = {3, 5, 6, 8, 9, 10, 12, 13, 15, 16}


def kinds(node: ChainNode) -> list[str]:
    return [str(stage.kind) for stage in node.chain.stages]


@pytest.mark.parametrize("width", WIDTHS)
def test_all_bottlenecks_are_fused(width: float) -> None:
    found = network(width, "32")
    assert found.fallbacks == ()
    assert [node.label for node in found.chains] == LABELS
    for number, node in enumerate(found.chains[:17], start=1):
        first = "stem" if number == 1 else "expand"
        shortcut = ["add"] if number in WITH_SHORTCUT else []
        assert kinds(node) == [first, "depthwise", "project", *shortcut]
    assert [kinds(node) for node in found.chains[17:]] == [["pointwise", "pool"], ["dense"]]


def test_the_network_is_a_line_with_the_models_own_ends() -> None:
    found = network(0.35, "32")
    assert (found.inputs, found.outputs) == (("input",), ("logits",))
    assert found.nodes[0].inputs == ("input",)
    for before, after in pairwise(found.nodes):
        assert after.inputs == before.outputs
    assert found.nodes[-1].outputs == ("logits",)
    assert found.tensors["logits"].shape == (1, 8)


def test_every_result_names_its_onnx_tensor() -> None:
    found = network(0.35, "32")
    names = [found.tensors[node.outputs[0]].onnx_name for node in found.nodes]
    expected = ["block_1.project"]
    for number in range(2, 18):
        expected.append(f"block_{number}.add" if number in WITH_SHORTCUT else f"block_{number}.project")
    assert names[:17] == expected
    assert names[-1] == "logits"


@pytest.mark.parametrize(
    ("resolution", "changes"),
    [
        ("32", {}),
        ("33x47", {}),
        ("33x47", {"padding": "tf_same"}),
        ("64", {"padding": "tf_same"}),
        ("64", {"output_stride": 16}),
        ("65x33", {"output_stride": 8, "padding": "tf_same"}),
    ],
)
def test_shapes_windows_and_madds_are_those_of_the_spec(resolution: str, changes: dict[str, str]) -> None:
    spec = changed(load("mobilenet_v2", width=0.35, resolution=resolution, classes=8), **changes)
    wanted = [layer for layer in layers(spec) if layer.kind != "pool"]
    found = [stage for node in network(0.35, resolution, **changes).chains for stage in node.chain.stages]
    found = [stage for stage in found if stage.kind is not StageKind.POOL]
    for stage, layer in zip(found, wanted, strict=True):
        assert stage.kind == layer.kind
        assert (stage.shape.rows, stage.shape.columns, stage.shape.channels) == layer.output_shape, layer.name
        window = stage.window
        assert (window.kernel, window.stride, window.dilation) == (layer.kernel, layer.stride, layer.dilation)
        assert window.padding == layer.padding, layer.name
        assert stage.activation == (RELU6 if layer.activation == "relu6" else None)
    assert sum(node.chain.madds for node in network(0.35, resolution, **changes).chains) == sum(x.madds for x in wanted)


@pytest.mark.parametrize("width", WIDTHS)
def test_chains_are_those_of_the_spec(width: float) -> None:
    """So that tests of schedules can make thousands of them without TVM."""
    spec = load("mobilenet_v2", width=width, resolution="32", classes=8)
    assert tuple(node.chain for node in network(width, "32").chains) == chains_of(spec)


def test_atrous_networks_are_dilated_and_fused() -> None:
    found = network(0.35, "64", output_stride=8)
    assert found.fallbacks == ()
    dilations = {stage.window.dilation[0] for node in found.chains for stage in node.chain.stages}
    assert dilations == {1, 2, 4}


@pytest.mark.parametrize("changes", [{"shortcut": "none"}, {"bottleneck_activation": "relu6"}])
def test_ablations_that_chains_cover(changes: dict[str, str]) -> None:
    found = network(0.35, "32", **changes)
    assert found.fallbacks == ()
    assert [node.label for node in found.chains] == LABELS
    projections = [stage for node in found.chains for stage in node.chain.stages if stage.kind is StageKind.PROJECT]
    wanted = RELU6 if "bottleneck_activation" in changes else None
    assert {stage.activation for stage in projections} == {wanted}


def test_shortcuts_between_expansions_are_added_in_chains() -> None:
    found = network(0.35, "32", shortcut="expansion")
    spec = changed(load("mobilenet_v2", width=0.35, resolution="32", classes=8), shortcut="expansion")
    sums = [layer for layer in layers(spec) if layer.kind == "add"]
    assert found.fallbacks == ()
    assert sum(kinds(node) == ["pointwise", "add"] for node in found.chains) == len(sums)
    depthwise = [kinds(node) for node in found.chains if "depthwise" in kinds(node)]
    assert len(depthwise) == 17
    madds = sum(node.chain.madds for node in found.chains)
    assert madds == sum(layer.madds for layer in layers(spec))


def test_weights_belong_to_their_stages() -> None:
    for node in network(0.35, "32").chains:
        weighted = [stage for stage in node.chain.stages if stage.kind not in (StageKind.ADD, StageKind.POOL)]
        assert list(node.weights) == [stage.name for stage in weighted]
        for stage in weighted:
            taps, bias = node.weights[stage.name]
            depth = 1 if stage.kind is StageKind.DEPTHWISE else node.chain.shape(stage.sources[0]).channels
            assert taps.shape == (*stage.window.kernel, depth, stage.shape.channels)
            assert bias.shape == (stage.shape.channels,)
            assert taps.dtype == bias.dtype == np.float32


def test_equal_blocks_have_equal_chains() -> None:
    chains = [node.chain for node in network(1.0, "32").chains]
    assert chains[4] == chains[5]  # blocks 5 and 6: one kernel serves both
    assert len({chain: None for chain in chains}) < len(chains)


def test_several_outputs_keep_their_order_and_names() -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=1),
        helper.make_node("Sigmoid", ["a"], ["second"]),
        helper.make_node("Relu", ["b"], ["first"]),
    ]
    found = fuse(model(nodes, {"x": (1, 4)}, {"first": (1, 2), "second": (1, 2)}))
    assert found.outputs == ("first", "second")
    split, *others = found.nodes
    readers = {node.outputs[0]: node.inputs[0] for node in others}
    assert split.outputs == (readers["second"], readers["first"])


@pytest.mark.parametrize("output", ["x", "y"])
def test_an_output_that_is_another_tensor_is_a_copy_of_it(output: str) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", [output], ["again"])]
    duplicated = model(nodes, {"x": (1, 4)}, {"y": (1, 4), "again": (1, 4)})
    found = fuse(duplicated)
    assert found.outputs == ("y", "again")
    made = [name for node in found.nodes for name in node.outputs]
    assert {"y", "again"} <= set(made) and len(made) == len(set(made))


def test_a_shape_that_is_not_static_is_refused() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    with pytest.raises(OnnxError, match="has no static shape; fix every dimension of the model's inputs"):
        fuse(model(nodes, {"x": ("batch", 4)}, {"y": ("batch", 4)}))


def test_results_in_an_unknown_layout_are_not_compared() -> None:
    """LeakyRelu keeps NCHW; of a 4x4x4 tensor the shape does not tell, so only the network's output is compared."""
    for rows, wanted in ((5, {"leaky": "same"}), (4, {})):
        shape = (1, 4, rows, 4)
        constants = {"w": np.ones((4, 4, 1, 1), np.float32), "b": np.zeros(4, np.float32)}
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["conv"]),
            helper.make_node("LeakyRelu", ["conv"], ["leaky"], alpha=0.5),
            helper.make_node("Conv", ["leaky", "w", "b"], ["y"]),
        ]
        found = fuse(model(nodes, {"x": shape}, {"y": shape}, constants))
        results = [found.tensors[node.outputs[0]] for node in found.nodes]
        compared = {tensor.onnx_name: tensor.onnx_layout for tensor in results if tensor.onnx_name}
        assert compared == {"conv": "NCHW", **wanted, "y": "same"}
