"""Long graphs: the time to compile grows with the number of nodes, not with its square."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import mnv2c
from mnv2c import targets
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.plan.assemble import assemble
from mnv2c.plan.network import Network
from tests.foreign.exporters import saved
from tests.pipeline import fuse, schedule
from tests.to_relax.graphs import model

OPERATORS = ("Add", "Relu", "Mul", "Sigmoid")


def chain(count: int) -> onnx.ModelProto:
    """A line of elementwise nodes, none of which is in a chain of ours."""
    nodes, value = [], "x"
    for index in range(count):
        operator = OPERATORS[index % len(OPERATORS)]
        operands = [value, "c"] if operator in ("Add", "Mul") else [value]
        value = f"v{index}"
        nodes.append(helper.make_node(operator, operands, [value]))
    return model(nodes, {"x": (1, 4, 8, 6)}, {value: (1, 4, 8, 6)}, {"c": np.float32(0.5)})


def read(made: onnx.ModelProto) -> Network:
    return fuse(parse_onnx(made.SerializeToString(), Path("."))[0])


def test_hundreds_of_elementwise_nodes_are_planned_in_seconds_and_share_their_kernels() -> None:
    begun = time.process_time()
    network = read(chain(400))
    kernels = schedule(network, "long", targets.load("x86-64-v3"))
    program = assemble(network, kernels.nodes)
    assert time.process_time() - begun < 8  # minutes where a planner looks at every node for every pair of them
    assert len(program.steps) == 400
    assert len(kernels.functions) == 4
    assert program.arena_bytes == 2 * 4 * 4 * 8 * 6


def test_shared_fallbacks_compute_what_onnxruntime_does(tmp_path: Path) -> None:
    made = mnv2c.compile(saved(chain(24), tmp_path / "line.onnx"), output=tmp_path / "out")
    assert len({entry["kernel"] for entry in made.metadata["fallbacks"]}) == 4
    report = mnv2c.verify(made.directory)
    assert report.passed
    assert len(report.comparisons) >= 24


@pytest.mark.slow
def test_two_thousand_elementwise_nodes_compile(tmp_path: Path) -> None:
    path = saved(chain(2000), tmp_path / "line.onnx")
    begun = time.process_time()
    made = mnv2c.compile(path, output=tmp_path / "out")
    assert time.process_time() - begun < 40
    assert mnv2c.verify(made.directory).passed
