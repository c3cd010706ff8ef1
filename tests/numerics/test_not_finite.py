"""NaN and infinity in a picture: every step has NaN where onnxruntime has it, here and under qemu, and forgets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.runtime.execution import executor
from mnv2c.verification.comparison import reference_tensors
from tests.foreign.exporters import TORCHSCRIPT, network, saved
from tests.numerics.building import AVX2, AVX512, has_avx512, legalised

TARGETS = [
    AVX2,
    AVX512,
    pytest.param("aarch64", marks=pytest.mark.emulated),
    pytest.param("cortex-a7", marks=pytest.mark.emulated),
]


def spoilt(value: float, seed: int = 0) -> np.ndarray:
    picture = np.random.default_rng(seed).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    picture[0, 1, 2, 3] = value
    return picture


def compiled(target: str, folder: Path, path: Path) -> Path:
    where: str | Path = legalised(folder) if target == AVX512 and not has_avx512() else target
    return mnv2c.compile(path, where, output=folder / "out", name="net", join=False).directory


def stored_alike(value: np.ndarray, layout: str) -> np.ndarray:
    return value.transpose(0, 2, 3, 1) if layout == "NCHW" and value.ndim == 4 else value


@pytest.mark.parametrize("target", TARGETS)
def test_every_step_has_nan_where_onnxruntime_has_it(target: str, tmp_path: Path) -> None:
    folder = compiled(target, tmp_path, saved(network(TORCHSCRIPT), tmp_path / "foreign.onnx"))
    _, machine = executor(folder)
    clean = spoilt(0.5)
    (before,), _ = machine.run((clean,))
    for value in (np.nan, np.inf, -np.inf):
        picture = spoilt(value)
        traced = [step for step in machine.trace((picture,)) if step.onnx]
        reference = reference_tensors(folder / "net.onnx", {"image": picture}, [step.onnx for step in traced])
        assert len(traced) >= 5
        for step in traced:
            right = stored_alike(reference[step.onnx], step.onnx_layout).reshape(step.value.shape)
            found, unknown = step.value, np.isnan(right)
            assert np.isnan(found[unknown]).all(), f"{step.name} lost NaN for {value}"
            if np.isnan(value):
                assert np.array_equal(np.isnan(found), unknown), f"{step.name} has NaN where the reference has none"
            finite = np.isfinite(right) & np.isfinite(found)
            np.testing.assert_allclose(found[finite], right[finite], atol=1e-4 * np.abs(right[finite]).max(initial=1))
            assert not np.isfinite(found[np.isinf(right)]).any(), f"{step.name} made a number of infinity"
        (result,), _ = machine.run((picture,))
        np.testing.assert_array_equal(result, traced[-1].value.reshape(result.shape))
        if np.isnan(value):
            assert np.isnan(result).all()
    (after,), _ = machine.run((clean,))
    np.testing.assert_array_equal(before, after)


FALLBACKS = {
    "Relu": [{}], "Clip": [{}, "low", "high"], "Max": [{}, "other"], "Min": [{}, "other"], "HardSwish": [{}],
    "MaxPool": [{"kernel_shape": [2, 2]}], "ReduceMax": [{"axes": [1], "keepdims": 1}], "Sign": [{}], "Softmax": [{}],
    "Tanh": [{}], "LeakyRelu": [{}],
}  # fmt: skip
"""Operators that TVM lowers; attributes, then constants."""


def of_all_fallbacks() -> onnx.ModelProto:
    """One output per operator, all of one input; it is divided first, so that no convolution takes part."""
    constants = {"low": np.float32(0), "high": np.float32(6), "share": np.float32(0.5)}
    constants["other"] = np.random.default_rng(1).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    nodes = [helper.make_node("Mul", ["image", "share"], ["half"])]
    for operator, (attributes, *more) in FALLBACKS.items():
        nodes.append(helper.make_node(operator, ["half", *more], [f"of_{operator}"], **attributes))
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])]
    results = [helper.make_tensor_value_info(f"of_{name}", TensorProto.FLOAT, None) for name in FALLBACKS]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "all", ports, results, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


@pytest.mark.emulated
def test_functions_of_libm_get_their_arguments_on_32_bit_arm(tmp_path: Path) -> None:
    """They come in registers of floating point there (hard float); the code passed them in others."""
    names = ("Exp", "Sigmoid", "Tanh", "Floor")
    nodes = [helper.make_node(operator, ["image"], [f"of_{operator}"]) for operator in names]
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])]
    results = [helper.make_tensor_value_info(f"of_{name}", TensorProto.FLOAT, [1, 3, 16, 16]) for name in names]
    graph = helper.make_graph(nodes, "libm", ports, results)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = compiled("cortex-a7", tmp_path, saved(made, tmp_path / "libm.onnx"))
    assert mnv2c.verify(folder).passed


@pytest.mark.parametrize("target", ["host", pytest.param("cortex-a7", marks=pytest.mark.emulated)])
def test_fallbacks_have_nan_where_onnxruntime_has_it(target: str, tmp_path: Path) -> None:
    folder = compiled(target, tmp_path, saved(of_all_fallbacks(), tmp_path / "fallbacks.onnx"))
    description, machine = executor(folder)
    assert len(description.metadata["fallbacks"]) >= len(FALLBACKS)
    picture = spoilt(np.nan) * np.float32(8)
    found, _ = machine.run((picture,))
    reference = reference_tensors(folder / "net.onnx", {"image": picture}, [])
    for port, value in zip(description.outputs, found, strict=True):
        right = reference[port.name]
        unknown = np.isnan(right)
        assert unknown.any() or port.name in ("of_MaxPool", "of_ReduceMax")  # onnxruntime's may lose it there
        assert np.isnan(value[unknown]).all(), f"{port.name} lost NaN"
        known = ~unknown & ~np.isnan(value)
        np.testing.assert_allclose(value[known], right[known], rtol=1e-4, atol=1e-5)
