"""Equations (1) and (2) on small graphs worked by hand, and on the network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnv2c.errors import CompilerError
from mnv2c.spec import ModelSpec, load
from mnv2c.spec.memory import (
    Graph,
    Operation,
    Peak,
    bottleneck_graph,
    layer_graph,
    local_peak,
    minimum_peak,
    orders,
    peak_of_order,
)

BASE = load("mobilenet_v2")

CHAIN = Graph(
    (
        Operation("a", ("image",), ("x",)),
        Operation("b", ("x",), ("y",), internal=5),
        Operation("c", ("y",), ("z",)),
        Operation("add", ("z", "x"), ("result",)),
    ),
    {"x": 10, "y": 60, "z": 10},
)


def test_a_shortcut_stays_alive() -> None:
    """x lives beside y and z although operation c does not read it: 10 + 60 + 10."""
    assert peak_of_order(CHAIN, CHAIN.operations) == Peak(80, "c")
    assert local_peak(CHAIN) == Peak(75, "b")


def test_the_order_matters() -> None:
    """Two branches that first grow and then shrink: finishing one before starting the other is best."""
    operations = (
        Operation("grow_1", ("image",), ("big_1",)),
        Operation("grow_2", ("image",), ("big_2",)),
        Operation("shrink_1", ("big_1",), ("small_1",)),
        Operation("shrink_2", ("big_2",), ("small_2",)),
        Operation("join", ("small_1", "small_2"), ("result",)),
    )
    graph = Graph(operations, {"big_1": 100, "big_2": 100, "small_1": 1, "small_2": 1})
    assert len(list(orders(graph))) == 6
    assert peak_of_order(graph, operations).elements == 201
    assert minimum_peak(graph).elements == 102


def test_illegal_order() -> None:
    with pytest.raises(CompilerError, match="operation b reads x"):
        peak_of_order(CHAIN, CHAIN.operations[::-1][2:] + CHAIN.operations[:1])


def test_unfused() -> None:
    """The depthwise convolution of block 2: 96 channels in at 112 x 112 and out at 56 x 56."""
    graph = layer_graph(BASE)
    assert local_peak(graph) == minimum_peak(graph) == Peak(112 * 112 * 96 + 56 * 56 * 96, "block_2.depthwise")


def test_bottlenecks_as_operations() -> None:
    """Block 1: 32 channels in, 16 out, and one channel inside."""
    graph = bottleneck_graph(BASE)
    names = [operation.name for operation in graph.operations]
    assert names == ["stem", *(f"block_{number}" for number in range(1, 18)), "head.pool", "head.dense"]
    assert local_peak(graph) == minimum_peak(graph) == Peak(112 * 112 * (32 + 16 + 1), "block_1")


@pytest.mark.parametrize("shortcut", ["bottleneck", "expansion", "none"])
def test_the_network_has_one_order_only(shortcut: str) -> None:
    spec = replace(BASE, shortcut=shortcut)
    for graph in (layer_graph(spec), bottleneck_graph(spec)):
        assert len(list(orders(graph))) == 1
        assert minimum_peak(graph).elements >= local_peak(graph).elements


def test_expansion_shortcuts_keep_the_expanded_tensor() -> None:
    graph = bottleneck_graph(replace(BASE, shortcut="expansion"))
    block = next(operation for operation in graph.operations if operation.name == "block_9")
    assert block.inputs == ("block_8.project", "block_8.expand")
    assert block.outputs == ("block_9.add", "block_9.project")


def test_the_caller_s_tensors_do_not_count() -> None:
    graph = layer_graph(ModelSpec())
    assert "image" not in graph.sizes and "head.dense" not in graph.sizes
