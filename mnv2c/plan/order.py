"""In which order nodes run: what only the caller reads is computed at once, so that its source need not be kept."""

from __future__ import annotations

from dataclasses import replace

from mnv2c.plan.join import is_branch
from mnv2c.plan.network import Network, Node, read_by


def branches_first(network: Network) -> Network:
    """Return the network with every branch (see `plan.join`) right behind the node that makes the last of its inputs.

    A detector's file predicts from all feature maps at its end; by then each would have been kept. What reads a joined
    tensor runs behind all that make its parts, since no node makes the whole.
    """
    nodes: list[Node] = [node for node in network.nodes if not is_branch(network, node)]
    for node in network.nodes:
        if is_branch(network, node):
            read = set(read_by(node))
            makers = [index for index, other in enumerate(nodes) if read & _made_by(network, other)]
            place = max(makers, default=-1) + 1
            while place < len(nodes) and is_branch(network, nodes[place]):
                place += 1
            nodes.insert(place, node)
    return replace(network, nodes=tuple(nodes))


def _made_by(network: Network, node: Node) -> set[str]:
    """The tensors that a node writes, whole or in part."""
    return {*node.outputs, *(network.owner(name) for name in node.outputs)}
