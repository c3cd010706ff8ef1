"""How much of a network's work its fallbacks do, which run in plain code, several times slower than chains."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnv2c.plan.network import ChainNode, FallbackNode, Network, Node, read_by

NOTABLE = 0.1
"""The share of the work from which on the user is told."""
SMALLEST = 0.005
"""The share of the work that is not worth a word."""
LISTED = 12
"""Operators that the note names."""


@dataclass(frozen=True)
class FallbackWork:
    """What fallbacks do: their share of all multiply-adds, and of all bytes moved that of those that have none.

    A node moves every tensor that it reads or leaves, and its weights, once; reshapes move nothing. The network is the
    one whose chains are not joined yet, so that the shares are the same for every target and limit of memory.
    ``operators`` are how many nodes there are of each kind, most work first.
    """

    madds_share: float
    bytes_share: float
    operators: Mapping[str, int]

    @property
    def is_notable(self) -> bool:
        """Whether it is more than a tenth of either."""
        return max(self.madds_share, self.bytes_share) > NOTABLE

    @property
    def note(self) -> str:
        """One line for the user where it is notable, else the empty string."""
        if not self.is_notable:
            return ""
        counted = [f"{name} ({count} times)" if count > 1 else name for name, count in self.operators.items()]
        more = f" and {len(counted) - LISTED} more" if len(counted) > LISTED else ""
        shares = ((self.madds_share, "of the multiply-adds"), (self.bytes_share, "of the memory traffic"))
        taken = " and ".join(f"{share:.0%} {of}" for share, of in shares if share >= SMALLEST)
        listed = f"{', '.join(counted[:LISTED])}{more}"
        return f"fallbacks take {taken}, in plain code several times slower than fused kernels: {listed}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "madds_share": round(self.madds_share, 4),
            "bytes_share": round(self.bytes_share, 4),
            "operators": dict(self.operators),
            "note": self.note,
        }


def fallback_work(network: Network) -> FallbackWork:
    """Return the work of a network's fallbacks."""
    madds = {id(node): _madds(node) for node in network.nodes}
    moved = {id(node): _bytes(network, node) for node in network.nodes}
    plain = [node for node in network.fallbacks if not madds[id(node)]]
    work: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for node in network.fallbacks:
        counts[kind(node.operator)] += 1
        work[kind(node.operator)] += madds[id(node)] + moved[id(node)]
    return FallbackWork(
        _share(sum(madds[id(node)] for node in network.fallbacks), sum(madds.values())),
        _share(sum(moved[id(node)] for node in plain), sum(moved.values())),
        {operator: counts[operator] for operator, _ in work.most_common()},
    )


def kind(operator: str) -> str:
    """Return the operator without what TVM numbers its functions with: ``leaky_relu3`` is ``leaky_relu``."""
    return re.sub(r"(?<=[a-z_])[0-9]+$", "", operator.removeprefix("tir_")).rstrip("_")


def total_madds(network: Network) -> int:
    """Return the multiply-adds of all nodes, those of fallbacks among them."""
    return sum(map(_madds, network.nodes))


def _madds(node: Node) -> int:
    return node.chain.madds if isinstance(node, ChainNode) else node.madds


def _bytes(network: Network, node: Node) -> int:
    constants: list[Any] = []
    if isinstance(node, ChainNode):
        constants = [array for pair in node.weights.values() for array in pair]
    elif isinstance(node, FallbackNode):
        constants = [value for value in node.inputs if isinstance(value, np.ndarray)]
    tensors = sum(network.tensors[name].bytes for name in (*read_by(node), *node.outputs))
    return tensors + sum(int(array.nbytes) for array in constants)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
