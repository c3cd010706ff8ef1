"""Equations (1) and (2) on small graphs worked by hand, and on the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import CompilerError
from mnv2c.spec import ModelSpec, load
from mnv2c.spec.memory import (
    Graph,
    Operation,
    Peak,
    bottleneck_graph,
    layer_graph,
    local_peak,
    orders,
    peak_of_order,
)
from mnv2c.spec.search import minimum_peak

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


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to seven operations with one result each, which read results of earlier ones; some belong to the caller."""
    count = draw(st.integers(1, 7))
    sizes = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    operations = []
    for index in range(count):
        inputs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        internal = draw(st.integers(0, 3))
        operations.append(Operation(f"op_{index}", tuple(f"t{i}" for i in sorted(inputs)), (f"t{index}",), internal))
    return Graph(tuple(operations), {f"t{index}": size for index, size in enumerate(sizes) if size})


@given(graphs())
def test_the_search_finds_what_all_orders_together_give(graph: Graph) -> None:
    wanted = min(peak_of_order(graph, order).elements for order in orders(graph))
    assert minimum_peak(graph).elements == wanted


def test_detectors_have_many_orders_and_are_searched_at_once() -> None:
    spec = load("ssdlite_mobilenet_v2", resolution=32, width=0.35, classes=3)
    assert minimum_peak(layer_graph(spec)).elements >= local_peak(layer_graph(spec)).elements
    last = max(layer_graph(spec).operations, key=lambda operation: len(operation.inputs))
    assert last.name in ("boxes", "scores")


def test_predictions_and_masks_belong_to_the_caller() -> None:
    detector = bottleneck_graph(load("ssdlite_mobilenet_v2"))
    names = [operation.name for operation in detector.operations]
    assert names[18:24] == ["boxes_1", "scores_1", "head.pointwise", "boxes_2", "scores_2", "extra_1"]
    assert names[-5:] == ["extra_4", "boxes_6", "scores_6", "boxes", "scores"]
    assert not any(name.startswith(("boxes", "scores")) for name in detector.sizes)
    mask = bottleneck_graph(load("deeplabv3_mobilenet_v2")).operations[-1]
    assert (mask.name, mask.inputs, mask.outputs, mask.internal) == ("mask", ("head.classes",), ("mask",), 513 * 513)


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
