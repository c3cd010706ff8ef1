"""Multiply-adds of fallbacks, and the share of the work that they take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c.cli.main import main
from mnv2c.errors import FallbackWarning
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.plan.network import Network
from mnv2c.plan.work import fallback_work, kind, total_madds
from tests.foreign.exporters import TORCHSCRIPT, network, saved
from tests.pipeline import fuse
from tests.to_relax.graphs import model, random


def read(made: onnx.ModelProto) -> Network:
    return fuse(parse_onnx(made.SerializeToString(), Path("."))[0])


def single(
    operator: str, shape: tuple[int, ...], result: tuple[int, ...], *constants: np.ndarray, **attributes: Any
) -> Network:
    names = [f"c{index}" for index in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    return read(model([node], {"x": shape}, {"y": result}, dict(zip(names, constants, strict=True))))


GROUPS = single("Conv", (1, 8, 6, 6), (1, 16, 6, 6), random(16, 2, 3, 3), group=4, pads=[1] * 4)
SOLID = single("Conv", (1, 4, 4, 4, 4), (1, 8, 2, 2, 2), random(8, 4, 3, 3, 3))
PRODUCT = single("MatMul", (1, 3, 4, 8), (1, 3, 4, 5), random(8, 5))
POOL = single("MaxPool", (1, 4, 9, 9), (1, 4, 4, 4), kernel_shape=[3, 3], strides=[2, 2])
SOFTMAX = single("Softmax", (1, 4, 6), (1, 4, 6), axis=-1)
MEAN = single("ReduceMean", (1, 4, 6), (1, 4, 1), axes=[2])
SCALED = single("Mul", (1, 4, 6), (1, 4, 6), np.float32(3))


@pytest.mark.parametrize(
    ("found", "madds"),
    [(GROUPS, 16 * 36 * 2 * 9), (SOLID, 8 * 8 * 4 * 27), (PRODUCT, 3 * 4 * 5 * 8), (POOL, 0), (SOFTMAX, 0), (MEAN, 0),
     (SCALED, 0)],
    ids=["groups", "3d", "product", "pool", "softmax", "mean", "scaled"],
)  # fmt: skip
def test_sums_of_products_are_counted_and_nothing_else(found: Network, madds: int) -> None:
    assert found.fallbacks
    assert total_madds(found) == sum(node.madds for node in found.fallbacks) == madds
    work = fallback_work(found)
    assert (work.madds_share, work.bytes_share > 0) == ((1.0 if madds else 0.0), madds == 0 or len(found.nodes) > 1)


def test_functions_are_told_apart_by_operator_and_not_by_number() -> None:
    names = ["leaky_relu12", "tir_sigmoid3", "conv2d", "conv2d1", "resize2d", "add"]
    assert [kind(name) for name in names] == ["leaky_relu", "sigmoid", "conv2d", "conv2d", "resize2d", "add"]


def with_leaky() -> onnx.ModelProto:
    """A network whose clamps are not, so that fallbacks move most of its memory."""
    made = network(TORCHSCRIPT)
    for node in made.graph.node:
        if node.op_type == "Clip":
            node.op_type = "LeakyRelu"
            del node.input[1:]
    return made


def test_much_work_of_fallbacks_is_told_in_log_summary_and_metadata(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(with_leaky(), tmp_path / "leaky.onnx")
    assert main(["compile", str(path), "-o", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    described = json.loads((tmp_path / "out" / "leaky.json").read_text())
    note = described["fallback_work"]["note"]
    assert "of the memory traffic, in plain code several times slower than fused kernels: " in note
    assert "leaky_relu (7 times)" in note
    assert f"  {note}\n" in shown.out
    assert f"mnv2c: warning: leaky: {note}\n" in shown.err
    assert described["fallback_work"]["bytes_share"] > 0.3
    assert described["madds"] == sum(entry["madds"] for entry in (*described["chains"], *described["fallbacks"]))
    assert main(["compile", str(path), "-o", str(tmp_path / "quiet"), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_plan_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(with_leaky(), tmp_path / "leaky.onnx")
    plan = mnv2c.plan_model(path)
    assert plan.work == fallback_work(read(with_leaky()))
    assert plan.madds == sum(chain.madds for chain in plan.chains)
    assert main(["plan", str(path), "-q"]) == 0
    assert plan.work.note in capsys.readouterr().out


def test_little_work_is_not_worth_a_word(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    made = mnv2c.compile(saved(network(TORCHSCRIPT, size=8), tmp_path / "all.onnx"), output=tmp_path / "out")
    none = {"madds_share": 0.0, "bytes_share": 0.0, "operators": {}, "note": ""}
    assert made.metadata["fallback_work"] == none
    assert not [entry for entry in recwarn if issubclass(entry.category, FallbackWarning)]
