"""Which of the planner's plans is taken: the fastest within a limit, or the smallest that is as fast as the fastest."""

from __future__ import annotations

from collections.abc import Sequence

from mnv2c.errors import PlanError
from mnv2c.plan.assemble import NodeKernel, placed_bytes, pool_bytes
from mnv2c.plan.join import cut as cut_network
from mnv2c.plan.network import Network
from mnv2c.planner.cuts import Cuts, Planner

AS_FAST = 1.005
"""Predictions are no better than that, so memory is not spent on less."""


def choose(plans: Planner, limit: int | None, threads: int = 1) -> Cuts:
    """Return the fastest plan within ``limit`` bytes; raises PlanError naming the smallest arena if there is none.

    Without a limit it is the smallest among the plans that are predicted to be as fast as the fastest.
    """
    if limit is None:
        return smallest_fast(plans.frontier())
    found = plans.fastest(limit)
    while found is not None and arena_bytes(plans.network, found, threads) > limit:
        found = plans.fastest(found.peak - 1)  # buffers may leave gaps between them, and threads need memory too
    if found is None:
        smallest = min(arena_bytes(plans.network, plan, threads) for plan in plans.frontier())
        raise PlanError(f"an arena of {limit} bytes is too small; the smallest possible is {smallest} bytes")
    return found


def smallest_fast(frontier: Sequence[Cuts]) -> Cuts:
    """Return the smallest of the plans that are predicted to be as fast as the fastest; there must be one."""
    return next(plan for plan in frontier if plan.cycles <= frontier[-1].cycles * AS_FAST)


def arena_bytes(network: Network, cuts: Cuts, threads: int = 1) -> int:
    """Return the size of the arena that a plan needs, to the byte."""
    variants = zip(*(piece.option.of_each for piece in cuts.pieces), strict=True)
    kernels = [[NodeKernel("", (), option.scratch, option.in_place) for option in options] for options in variants]
    return placed_bytes(cut(network, cuts), *(kernels or [[]])) + pool_bytes(threads)


def cut(network: Network, cuts: Cuts) -> Network:
    """Return the network whose nodes are the pieces of ``cuts``."""
    return cut_network(network, [piece.first for piece in cuts.pieces])
