"""What no chain covers computes the right numbers too, and is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import mnv2c
from mnv2c import targets
from mnv2c.codegen.fallback import STACK_BYTES, lower_fallback
from mnv2c.codegen.object import tvm_target
from mnv2c.verification import tolerance
from tests.pipeline import fuse
from tests.to_relax.graphs import model, random


def weights(name: str, outputs: int, inputs: int, kernel: int) -> dict[str, np.ndarray]:
    return {f"{name}.w": random(outputs, inputs, kernel, kernel), f"{name}.b": random(outputs, seed=1)}


def mixed() -> onnx.ModelProto:
    """A bottleneck whose expansion is read by others, in place, among operators that have no chain; two outputs."""
    constants = {
        **weights("grouped", 8, 4, 3),
        **weights("block", 8, 8, 1),
        **weights("expand", 24, 8, 1),
        **weights("depthwise", 24, 1, 3),
        **weights("project", 8, 24, 1),
        "low": np.float32(0),
        "high": np.float32(6),
        "matrix": random(8, 5),
        "vector": random(5, seed=1),
        "halves": np.array([3, 5], np.int64),
    }

    def convolution(source: str, name: str, **attributes: int | list[int]) -> onnx.NodeProto:
        return helper.make_node("Conv", [source, f"{name}.w", f"{name}.b"], [f"{name}.conv"], **attributes)

    nodes = [
        helper.make_node("Transpose", ["x"], ["planes"], perm=[0, 3, 1, 2]),
        convolution("planes", "grouped", group=2, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["grouped.conv"], ["positive"]),
        convolution("positive", "block"),
        convolution("block.conv", "expand"),
        helper.make_node("Clip", ["expand.conv", "low", "high"], ["expand"]),
        convolution("expand", "depthwise", group=24, pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["depthwise.conv", "low", "high"], ["depthwise"]),
        convolution("depthwise", "project"),
        helper.make_node("Add", ["project.conv", "block.conv"], ["sum"]),
        helper.make_node("Sigmoid", ["expand"], ["side"]),
        helper.make_node("LeakyRelu", ["sum"], ["leaky"], alpha=0.1),
        helper.make_node("Split", ["leaky", "halves"], ["left", "right"], axis=1),
        helper.make_node("Concat", ["right", "left"], ["swapped"], axis=1),
        helper.make_node("GlobalAveragePool", ["swapped"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "vector"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    return model(nodes, {"x": (1, 5, 7, 8)}, {"probabilities": (1, 5), "side": (1, 24, 5, 7)}, constants)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mixed")
    onnx.save(mixed(), made / "mixed.onnx")
    mnv2c.compile(made / "mixed.onnx", output=made / "out")
    return made / "out"


def test_every_output_agrees_with_onnxruntime(folder: Path) -> None:
    library = mnv2c.load(folder)
    session = onnxruntime.InferenceSession(folder / "mixed.onnx", providers=["CPUExecutionProvider"])
    for seed in range(3):
        x = random(1, 5, 7, 8, seed=seed)
        for found, wanted in zip(library(x), session.run(None, {"x": x}), strict=True):
            assert found.shape == wanted.shape
            assert tolerance.relative_error(found, wanted) <= tolerance.FLOAT32


def test_every_step_agrees_with_onnxruntime(folder: Path) -> None:
    report = mnv2c.verify(folder)
    assert report.passed, report.failure()


def test_fallbacks_are_reported(folder: Path) -> None:
    import json

    metadata = json.loads((folder / "mixed.json").read_text())
    operators = {entry["operator"].rstrip("0123456789") for entry in metadata["fallbacks"]}
    assert {"conv2d", "leaky_relu", "split", "concatenate", "softmax"} <= operators
    chains = [chain["stages"] for chain in metadata["chains"]]
    assert ["expand", "depthwise", "project", "add"] in chains
    assert ["dense"] in chains
    assert [chain["in_place"] for chain in metadata["chains"] if "add" in chain["stages"]] == [True]


def test_results_are_compared_in_the_layout_they_have(folder: Path) -> None:
    """LeakyRelu keeps the model's NCHW, the convolution before it is NHWC; both are still compared."""
    report = mnv2c.verify(folder)
    compared = {comparison.tensor for comparison in report.comparisons}
    assert {"block.conv", "sum", "leaky", "side", "probabilities"} <= compared


def kernel_of(node: onnx.NodeProto, shape: tuple[int, ...]) -> object:
    network = fuse(model([node], {"x": shape}, {"y": shape}))
    return network.fallbacks[0].function


def test_large_buffers_become_scratch_and_small_ones_stay_on_the_stack() -> None:
    target = tvm_target(targets.load("x86-64-v3"))
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    columns = STACK_BYTES // 4
    large = lower_fallback(kernel_of(node, (4, columns)), "large", target)
    small = lower_fallback(kernel_of(node, (1, 4)), "small", target)
    assert large.scratch
    assert all(size >= STACK_BYTES for size in large.scratch)
    assert small.scratch == ()
    assert len(large.function.params) == 2 + len(large.scratch)
    assert large.function.attrs["global_symbol"] == "large"
