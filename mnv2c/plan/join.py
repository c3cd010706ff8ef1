"""Joining consecutive chains into one: what they hand to each other then lives in a ring, never as a whole tensor.

Chains in a line are joined, and with them **branches**: chains whose results all go to the caller, such as what a
detector predicts from a feature map. A branch reads what the line makes, from the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from mnv2c.plan.chain import Chain, Shape, Stage, StageKind, input_name
from mnv2c.plan.network import ChainNode, Network, Node


def is_branch(network: Network, node: Node) -> bool:
    """Whether all that ``node`` leaves is the caller's, and nobody else reads it."""
    return all(network.is_callers(name) and not network.is_read(name) for name in node.outputs)


WHOLE_RESULT = frozenset({StageKind.POOL, StageKind.RESIZE, StageKind.ARGMAX})
"""Stages that end their chain."""


def may_join(network: Network, first: int, last: int) -> bool:
    """Whether nodes [first, last] are chains in a line, perhaps with branches.

    Each reads only what those before it made, or what the first one reads. Nobody else reads what they make, but for
    the results of the last one of the line.
    """
    if first == last:
        return True
    nodes = network.nodes[first : last + 1]
    line = [node for node in nodes if not is_branch(network, node)]
    made: dict[str, Shape] = {}
    for node in nodes:
        if not isinstance(node, ChainNode):
            return False
        read = dict(zip(node.inputs, node.chain.inputs, strict=True))
        if node is nodes[0]:
            made |= read
        elif node.chain.input_orders or any(made.get(name) != shape for name, shape in read.items()):
            return False
        made |= {name: node.chain.shape(stage) for name, stage in zip(node.outputs, node.chain.outputs, strict=False)}
        if node in line and node is not nodes[-1] and not _stays(network, node, last, node is line[-1]):
            return False
    chains = [node.chain for node in nodes if isinstance(node, ChainNode)]
    return all(_may_meet(before, after) for before, after in pairwise(chains))


def _stays(network: Network, node: Node, last: int, may_leave: bool) -> bool:
    """Whether all that ``node`` leaves is read, and by nodes up to ``last`` unless it ``may_leave``."""
    uses = [network.last_use(name) for name in node.outputs]
    return all(use >= 0 and (may_leave or use <= last) for use in uses)


def _may_meet(before: Chain, after: Chain) -> bool:
    """Whether rows can be handed on one by one: a mean or a mask must come last, and only a mean may be classified.

    A resize reads a whole tensor, and so what others have left.
    """
    kinds, later = ([stage.kind for stage in chain.stages] for chain in (before, after))
    if later == [StageKind.DENSE]:
        return kinds == [StageKind.POINTWISE, StageKind.POOL]
    return not (StageKind.DENSE in {*kinds, *later} or StageKind.RESIZE in later or WHOLE_RESULT & set(kinds))


def join(nodes: Sequence[ChainNode], leaving: Sequence[str] = ()) -> ChainNode:
    """Return one chain that computes ``nodes`` one after the other; see `may_join`.

    It leaves the results of the last node, and those of the others that are named in ``leaving``.
    """
    if len(nodes) == 1:
        return nodes[0]
    first, last = nodes[0], nodes[-1]
    stages: list[Stage] = []
    weights: dict[str, Any] = {}
    owner = {name: input_name(index) for index, name in enumerate(first.inputs)}
    for number, node in enumerate(nodes, 1):
        names = {stage.name: f"{stage.name}_{number}" for stage in node.chain.stages}
        names |= {input_name(index): owner[name] for index, name in enumerate(node.inputs)}
        for stage in node.chain.stages:
            renamed = tuple(names[name] for name in stage.sources)
            stages.append(replace(stage, name=names[stage.name], sources=renamed))
        weights |= {names[name]: values for name, values in node.weights.items()}
        owner |= {name: names[stage] for name, stage in zip(node.outputs, node.chain.outputs, strict=False)}
    chain = Chain(
        "+".join(dict.fromkeys(node.chain.kind for node in nodes)),
        first.chain.inputs,
        tuple(stages),
        (),
        input_orders=first.chain.input_orders,
    )
    chain = _coarsest_last(chain)
    results = [*last.outputs, *(name for node in nodes[:-1] for name in node.outputs if name in leaving)]
    results.sort(key=lambda name: owner[name] != chain.stages[-1].name)  # a chain's first output is its last stage's
    chain = replace(chain, outputs=tuple(owner[name] for name in results))
    label = f"{first.label}_to_{last.label.removeprefix('bottleneck_')}"
    return ChainNode(label, chain, weights, first.inputs, tuple(results))


def _coarsest_last(chain: Chain) -> Chain:
    """Order the stages so that the last one has fewest rows: a step makes whole rows of it, and more of the others."""
    ends = [stage for stage in chain.stages if not chain.consumers(stage.name)]
    rows = min(stage.shape.rows for stage in ends)
    main = [stage for stage in ends if stage.shape.rows == rows][-1]
    needed: set[str] = set()
    for stage in reversed(chain.stages):
        if (stage in ends and stage is not main) or stage.name in needed:
            needed |= {stage.name, *stage.sources}
    before = tuple(stage for stage in chain.stages if stage.name in needed)
    return replace(chain, stages=before + tuple(stage for stage in chain.stages if stage.name not in needed))


def joined(network: Network, first: int, last: int) -> ChainNode:
    """Return nodes [first, last], all chains, as one chain."""
    nodes = [node for node in network.nodes[first : last + 1] if isinstance(node, ChainNode)]
    made = [name for node in nodes[:-1] for name in node.outputs]
    return join(nodes, [name for name in made if network.last_use(name) > last])


def cut(network: Network, starts: Sequence[int]) -> Network:
    """Return the network whose nodes from each of ``starts`` up to the next are joined."""
    bounds = [*starts, len(network.nodes)]
    nodes = []
    for first, end in pairwise(bounds):
        nodes.append(joined(network, first, end - 1) if end - first > 1 else network.nodes[first])
    return replace(network, nodes=tuple(nodes))
