"""Joined chains compute what the chains compute one after the other, and only lines of chains are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.plan.chain import RELU6, Chain, Order, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.interpreter import interpret
from mnv2c.plan.join import cut, join, may_join
from mnv2c.plan.network import ChainNode, FallbackNode, Network, Node, Tensor
from tests.kernels.reference import evaluate
from tests.plan.drawn import divisors, output_shape, tensors


def bottleneck(shape: Shape, stride: int, channels: int, kernel: int = 3, residual: bool = False) -> Chain:
    """Expand, depthwise, project, and a shortcut where that is asked for."""
    half = kernel // 2
    seen = Window((kernel, kernel), (stride, stride), padding=((half, half), (half, half)))
    expanded = Shape(shape.rows, shape.columns, 2 * shape.channels)
    result = output_shape(expanded, seen, channels)
    stages = [
        Stage("expand", StageKind.EXPAND, ("input_0",), expanded, activation=RELU6),
        Stage("depthwise", StageKind.DEPTHWISE, ("expand",), replace(result, channels=expanded.channels), seen, RELU6),
        Stage("project", StageKind.PROJECT, ("depthwise",), result),
    ]
    if residual:
        stages.append(Stage("add", StageKind.ADD, ("project", "input_0"), result))
    return Chain("bottleneck", (shape,), tuple(stages), (stages[-1].name,))


@st.composite
def lines(draw: st.DrawFn) -> list[Chain]:
    """Two to four bottlenecks, each on the result of the one before; perhaps a strided stem first."""
    shape = Shape(draw(st.integers(1, 14)), draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    found: list[Chain] = []
    if draw(st.booleans()):
        seen = Window((3, 3), (2, 2), padding=((1, 1), (1, 1)))
        stem = Stage("stem", StageKind.STEM, ("input_0",), output_shape(shape, seen, 2), seen, RELU6)
        found.append(Chain("stem", (shape,), (stem,), ("stem",)))
        shape = stem.shape
    for _ in range(draw(st.integers(2, 4))):
        residual = draw(st.booleans())
        stride = 1 if residual else draw(st.integers(1, 2))
        channels = shape.channels if residual else draw(st.integers(1, 3))
        found.append(bottleneck(shape, stride, channels, draw(st.sampled_from((3, 3, 5))), residual))
        shape = found[-1].stages[-1].shape
    return found


def network(chains: Sequence[Chain]) -> Network:
    """The chains in a line, with weights of their own."""
    nodes = [
        ChainNode(f"bottleneck_{index:02d}", chain, tensors(chain, index)[1], (f"t{index}",), (f"t{index + 1}",))
        for index, chain in enumerate(chains)
    ]
    shapes = [chains[0].inputs[0], *(chain.stages[-1].shape for chain in chains)]
    values = {
        f"t{index}": Tensor(f"t{index}", (1, shape.rows, shape.columns, shape.channels), "float32")
        for index, shape in enumerate(shapes)
    }
    return Network(values, tuple(nodes), ("t0",), (f"t{len(chains)}",))


def one_after_the_other(found: Network, image: np.ndarray) -> np.ndarray:
    value = image
    for node in found.chains:
        value = evaluate(node.chain, [value], node.weights)[node.chain.outputs[0]]
    return value


def agree(found: Network, joined: ChainNode, rows: int, again: Sequence[str] = ()) -> None:
    (image,), _ = tensors(joined.chain, 7)
    (result,) = interpret(with_loads(joined.chain), rows, [image], joined.weights, again)
    wanted = one_after_the_other(found, image)
    assert abs(result - wanted).max() <= 1e-4 * max(1.0, abs(wanted).max())


@given(lines(), st.data())
@settings(max_examples=60)
def test_a_joined_chain_computes_what_its_chains_compute(chains: list[Chain], data: st.DataObject) -> None:
    found = network(chains)
    assert may_join(found, 0, len(chains) - 1)
    joined = join(found.chains)
    agree(found, joined, data.draw(st.sampled_from(divisors(joined.chain.stages[-1].shape.rows))))


@given(lines(), st.data())
@settings(max_examples=60)
def test_so_it_does_when_rows_are_made_again(chains: list[Chain], data: st.DataObject) -> None:
    found = network(chains)
    joined = join(found.chains)
    expansions = [stage.name for stage in joined.chain.stages if stage.kind is StageKind.EXPAND]
    agree(found, joined, 1, [name for name in expansions if data.draw(st.booleans())])


@given(lines())
@settings(max_examples=30)
def test_nothing_is_lost_by_joining(chains: list[Chain]) -> None:
    found = network(chains)
    joined = join(found.chains)
    names = [stage.name for stage in joined.chain.stages]
    assert len(set(names)) == len(names) == sum(len(chain.stages) for chain in chains)
    assert joined.chain.madds == sum(chain.madds for chain in chains)
    assert (joined.inputs, joined.outputs) == (("t0",), found.outputs)
    assert joined.weights.keys() == {
        stage.name for stage in joined.chain.stages if stage.kind is not StageKind.ADD
    }  # fmt: skip


def test_a_cut_joins_what_lies_between_its_starts() -> None:
    shape = Shape(6, 6, 2)
    found = network([bottleneck(shape, 1, 2) for _ in range(5)])
    parts = cut(found, (0, 1, 4))
    assert [node.label for node in parts.nodes] == ["bottleneck_00", "bottleneck_01_to_03", "bottleneck_04"]
    assert parts.nodes[0] is found.nodes[0]
    assert [node.inputs for node in parts.nodes] == [("t0",), ("t1",), ("t4",)]


LINE = network([bottleneck(Shape(6, 6, 2), 1, 2) for _ in range(3)])


def changed(index: int, node: Node, outputs: tuple[str, ...] = LINE.outputs) -> Network:
    nodes = [*LINE.nodes[:index], node, *LINE.nodes[index + 1 :]]
    extra = {name: Tensor(name, (1, 6, 6, 2), "float32") for entry in nodes for name in entry.outputs}
    return replace(LINE, tensors={**LINE.tensors, **extra}, nodes=tuple(nodes), outputs=outputs)


FIRST, SECOND, THIRD = LINE.chains
SIDE = replace(FIRST, chain=replace(FIRST.chain, outputs=("project", "expand")), outputs=("t1", "side"))
DENSE = Chain("dense", (Shape(6, 6, 2),), (Stage("dense", StageKind.DENSE, ("input_0",), Shape(1, 1, 2)),), ("dense",))
POOL = Chain("head", (Shape(6, 6, 2),), (Stage("pool", StageKind.POOL, ("input_0",), Shape(1, 1, 2)),), ("pool",))
PLANAR = replace(SECOND, chain=replace(SECOND.chain, input_orders=(Order.NCHW,)))

REFUSED = {
    "a side output": changed(0, SIDE),
    "a second reader": replace(
        LINE, nodes=(*LINE.nodes, FallbackNode("late", "add", None, ("t1",), ("y",))), outputs=("t3", "y")
    ),
    "a result of the network between": replace(LINE, outputs=("t1", "t3")),
    "a dense layer": changed(1, replace(SECOND, chain=DENSE)),
    "a pooled chain first": changed(0, replace(FIRST, chain=POOL)),
    "an NCHW input between": changed(1, PLANAR),
    "a fallback": changed(1, FallbackNode("relu", "relu", None, ("t1",), ("t2",))),
}


@pytest.mark.parametrize("found", REFUSED.values(), ids=REFUSED)
def test_what_is_no_line_of_chains_is_not_joined(found: Network) -> None:
    assert may_join(LINE, 0, 1)
    assert not may_join(found, 0, 1)
    assert not may_join(found, 0, 2)


def test_a_pooled_chain_may_come_last() -> None:
    assert may_join(changed(1, replace(SECOND, chain=POOL)), 0, 1)


def test_a_classifier_follows_a_pooled_convolution_only() -> None:
    shape, pooled = Shape(6, 6, 2), Shape(1, 1, 2)
    stages = (
        Stage("pointwise", StageKind.POINTWISE, ("input_0",), shape),
        Stage("pool", StageKind.POOL, ("pointwise",), pooled),
    )
    head, dense = Chain("head", (shape,), stages, ("pool",)), replace(DENSE, inputs=(pooled,))
    found = replace(
        LINE, nodes=(FIRST, replace(SECOND, chain=head, weights={}), replace(THIRD, chain=dense, weights={}))
    )
    assert may_join(found, 1, 2)
    assert [stage.kind for stage in join(found.chains[1:]).chain.stages] == [
        StageKind.POINTWISE,
        StageKind.POOL,
        StageKind.DENSE,
    ]
    assert not may_join(changed(2, replace(THIRD, chain=DENSE)), 1, 2)


def test_one_node_stays_what_it_is() -> None:
    assert may_join(LINE, 1, 1)
    assert join([SECOND]) is SECOND
