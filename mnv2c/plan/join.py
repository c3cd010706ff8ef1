"""Joining consecutive chains into one: what they hand to each other then lives in a ring, never as a whole tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from mnv2c.plan.chain import Chain, Stage, StageKind, input_name
from mnv2c.plan.network import ChainNode, Network


def may_join(network: Network, first: int, last: int) -> bool:
    """Whether nodes [first, last] are chains in a line: each reads only what the one before it made for it alone."""
    nodes = network.nodes[first : last + 1]
    for index, (before, node) in enumerate(pairwise(nodes), first):
        if not (isinstance(before, ChainNode) and isinstance(node, ChainNode)):
            return False
        between = before.outputs[0]
        alone = len(before.outputs) == 1 and node.inputs == (between,) and between not in network.outputs
        if not alone or network.last_use(between) != index + 1 or node.chain.input_orders:
            return False
        if not _may_meet(before.chain, node.chain):
            return False
    return True


def _may_meet(before: Chain, after: Chain) -> bool:
    """Whether ``after`` may read a ring of ``before``: rows that follow each other, or a mean that is classified."""
    kinds = [stage.kind for stage in before.stages]
    if [stage.kind for stage in after.stages] == [StageKind.DENSE]:
        return kinds == [StageKind.POINTWISE, StageKind.POOL]
    return not {StageKind.DENSE, StageKind.POOL} & set(kinds) and after.stages[0].kind is not StageKind.DENSE


def join(nodes: Sequence[ChainNode]) -> ChainNode:
    """Return one chain that computes ``nodes`` one after the other; see `may_join`."""
    if len(nodes) == 1:
        return nodes[0]
    first, last = nodes[0], nodes[-1]
    stages: list[Stage] = []
    weights: dict[str, Any] = {}
    source = input_name(0)
    for number, node in enumerate(nodes, 1):
        names = {stage.name: f"{stage.name}_{number}" for stage in node.chain.stages} | {input_name(0): source}
        for stage in node.chain.stages:
            renamed = tuple(names[name] for name in stage.sources)
            stages.append(replace(stage, name=names[stage.name], sources=renamed))
        weights |= {names[name]: values for name, values in node.weights.items()}
        source = names[node.chain.outputs[0]]
    outputs = (source, *(names[name] for name in last.chain.outputs[1:]))
    chain = Chain(
        "+".join(dict.fromkeys(node.chain.kind for node in nodes)),
        first.chain.inputs,
        tuple(stages),
        outputs,
        input_orders=first.chain.input_orders,
    )
    label = f"{first.label}_to_{last.label.removeprefix('bottleneck_')}"
    return ChainNode(label, chain, weights, first.inputs, last.outputs)


def cut(network: Network, starts: Sequence[int]) -> Network:
    """Return the network whose nodes from each of ``starts`` up to the next are joined."""
    bounds = [*starts, len(network.nodes)]
    nodes = []
    for first, end in pairwise(bounds):
        group = network.nodes[first:end]
        nodes.append(join([node for node in group if isinstance(node, ChainNode)]) if end - first > 1 else group[0])
    return replace(network, nodes=tuple(nodes))
