"""A network made ready for the planner: its fallbacks are lowered, since their memory counts; nothing is emitted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from mnv2c.codegen.fallback import LoweredFallback, lower_fallback
from mnv2c.codegen.object import tvm_target
from mnv2c.dtypes import COMPUTED
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.network import FallbackNode, Network
from mnv2c.planner.cuts import Planner
from mnv2c.planner.pricing import Pricing
from mnv2c.planner.together import together
from mnv2c.records.best import NOTHING, Best
from mnv2c.targets import Target


def planner(
    network: Network,
    unit: Provider,
    target: Target,
    fallback_scratch: dict[int, tuple[int, ...]],
    threads: int = 1,
    best: Best = NOTHING,
) -> Planner:
    """Return the planner of ``network`` for ``target`` and ``threads`` threads, with what ``best`` knows."""
    pricing = Pricing(network, unit, target, fallback_scratch, threads, best)
    return Planner(network, cache(pricing.options) if best else pricing.options)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The planner of a network, and its fallbacks as TVM lowered them, by the index of their node.

    ``best`` is what records know, ``starts`` the first nodes of the chains into which they say to cut the network.
    """

    planner: Planner
    fallbacks: dict[int, LoweredFallback]
    best: Best = NOTHING
    starts: tuple[int, ...] | None = None


def prepare(
    network: Network, library: str, target: Target, threads: int = 1, join: bool = True, best: Best = NOTHING
) -> Prepared:
    """Lower the fallbacks, whose scratch memory counts, and return what plans ``network``; nothing is emitted.

    Without ``join`` every node stays a chain of its own. ``best`` is what records know.
    """
    lowered: dict[Any, LoweredFallback] = {}  # nodes that call the same function share a kernel
    fallbacks: dict[int, LoweredFallback] = {}
    for index, node in enumerate(network.nodes):
        if isinstance(node, FallbackNode):
            if node.function not in lowered:
                name = symbol(library, node.label)
                lowered[node.function] = lower_fallback(node.function, name, tvm_target(target))
            fallbacks[index] = lowered[node.function]
    scratch = {index: fallback.scratch for index, fallback in fallbacks.items()}
    plans = planner(network, provider_for(COMPUTED.name, target), target, scratch, threads, best)
    if not join:
        return Prepared(replace(plans, longest=1), fallbacks, best)
    return Prepared(plans, fallbacks, best, best.cuts(network))


def common_planner(prepared: Sequence[Prepared]) -> Planner:
    """Return what plans all variants of a library at once, with the first one's planner alone if it is the only one.

    Its options stand for one per variant: `Option.of_each`.
    """
    first = prepared[0].planner
    if len(prepared) == 1:
        return first
    return replace(first, options=together(first.network, [entry.planner.options for entry in prepared]))


def symbol(library: str, label: str) -> str:
    """Return the C name of a node's kernel."""
    return library + "_" + re.sub(r"\W", "_", label, flags=re.ASCII)
