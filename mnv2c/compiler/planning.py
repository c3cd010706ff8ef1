"""From a fused network to chains with schedules: every way to run them is laid out and priced, the best are taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from mnv2c.codegen.fallback import LoweredFallback, lower_fallback
from mnv2c.codegen.object import tvm_target
from mnv2c.dtypes import COMPUTED
from mnv2c.errors import PlanError, ScheduleError
from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.cost import Caches, predicted_cycles
from mnv2c.kernels.division import check_parts, divisions
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan import join as joining
from mnv2c.plan.arena import aligned
from mnv2c.plan.assemble import NodeKernel, placed_bytes, pool_bytes, runs_in_place
from mnv2c.plan.chain import Chain, StageKind, input_name, with_loads
from mnv2c.plan.cuts import Cuts, Option, Planner, Tuned
from mnv2c.plan.network import ChainNode, FallbackNode, Network
from mnv2c.plan.together import together
from mnv2c.records.best import NOTHING, Best, Kept, warn_user
from mnv2c.schedule.analytic import WHOLE_PIXELS
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.variants import even_schedules, variants
from mnv2c.targets import Target


@dataclass(frozen=True, eq=False)
class Pricing:
    """Lays out and prices the ways to run nodes of ``network``; ``fallback_scratch`` is known once TVM lowered them.

    What ``best`` knows of a chain is one more way, whose price is the best predicted one times the measured ratio.
    Where it knows nothing faster than the default, that is marked.
    """

    network: Network
    unit: Provider
    target: Target
    fallback_scratch: dict[int, tuple[int, ...]]
    threads: int = 1
    best: Best = NOTHING

    def options(self, first: int, last: int) -> list[Option]:
        """The ways to run nodes [first, last] as one chain."""
        node = self.network.nodes[first]
        if isinstance(node, FallbackNode):
            return [Option(0.0, self.fallback_scratch.get(first, ()))]
        chain = joined(self.network, first, last).chain
        in_place = runs_in_place(self.network, first) if first == last else None
        found = [option for kept in self._chains(chain, in_place) for option in self._of(kept)]
        kept = self.best.kept(chain)
        if kept is not None:
            return [*found, *self._recorded(kept, chain, in_place, found)]
        default = self.best.default(chain)
        if default is None:
            return found
        same = [replace(default, in_place=in_place) for in_place in (True, False)]  # whichever the network allows
        return [replace(way, confirmed=choice_of(way) in same) for way in found]

    def _recorded(self, kept: Kept, chain: Chain, in_place: Chain | None, predicted: Sequence[Option]) -> list[Option]:
        """The way that a record says, if it is legal here; in place only where the network allows it."""
        choice = kept.choice
        try:
            layout = kernel_layout(in_place if choice.in_place and in_place else chain, choice.schedule, self.unit)
            check_parts(layout, choice.parts, self.threads)
        except ScheduleError as error:
            warn_user(f"a record of chain {kept.record.chain_id} ({kept.record.label}) is of no use any more: {error}")
            return []
        copies = choice.parts.copies if choice.parts else 1
        scratch = tuple(aligned(size) * copies if choice.parts else size for size in layout.region_bytes)
        priced = min((option.cycles for option in predicted), default=predicted_cycles(layout, self._caches))
        tuned = Tuned(kept.source, kept.ratio)
        return [Option(priced * kept.ratio, scratch, layout.chain.in_place, (layout, choice.parts), tuned)]

    @property
    def _caches(self) -> Caches:
        return Caches(self.target.l1d_bytes, self.target.l2_bytes)

    def _chains(self, chain: Chain, in_place: Chain | None) -> Sequence[Chain]:
        """In place where that is legal; a fresh output where a schedule forbids it."""
        return [chain] if in_place is None else [in_place, chain]

    def _of(self, chain: Chain) -> list[Option]:
        read = with_loads(chain, self.unit.gathers)
        carries = [stage.name for stage in read.stages if may_carry(read, stage)]
        again = [] if chain.in_place else _by_saving(read, carries)
        found = []
        schedules = [*variants(chain, self.unit, self.target.l2_bytes, carries, again)]
        if self.threads > 1:
            schedules += even_schedules(chain, self.unit, self.target.l2_bytes, self.threads)
        for schedule in dict.fromkeys(schedules):  # some rules come to the same
            try:
                layout = kernel_layout(chain, schedule, self.unit)
            except ScheduleError:
                continue
            if not _holds_all(layout):
                found += self._price(layout)
        return found

    def _price(self, layout: KernelLayout) -> list[Option]:
        caches = self._caches
        options = [Option(predicted_cycles(layout, caches), layout.region_bytes, layout.chain.in_place, (layout, None))]
        for parts, cycles in divisions(layout, self.threads, caches):
            scratch = tuple(aligned(size) * parts.copies for size in layout.region_bytes)
            options.append(Option(cycles, scratch, layout.chain.in_place, (layout, parts)))
        return options


def choice_of(option: Option) -> Choice:
    """Return how an option of the planner runs its chain."""
    layout, parts = option.choice
    return Choice(layout.schedule, parts, layout.chain.in_place)


def _holds_all(layout: KernelLayout) -> bool:
    """Whether joined bottlenecks would keep whole images between them, which is what joining is to avoid."""
    behind = {input_name(index): 0 for index in range(len(layout.chain.inputs))}
    for stage in layout.chain.stages:
        windows = max(behind[source] for source in stage.sources)
        behind[stage.name] = windows + (stage.kind is StageKind.DEPTHWISE)
    joins = max(behind.values()) > 1
    return joins and layout.flow.whole and layout.chain.inputs[0].pixels > WHOLE_PIXELS


def _by_saving(chain: Chain, carries: Sequence[str]) -> list[str]:
    """Carried stages with stride 1, which keep two rows of sums, by how many bytes that is for the work to repeat."""
    stages = [chain.stage(name) for name in carries]
    strided = [stage for stage in stages if stage.window.stride[0] == 1]

    def saving(name: str) -> float:
        stage = chain.stage(name)
        source = chain.stage(stage.sources[0])
        depth = source.window.taps * chain.shape(source.sources[0]).channels
        return stage.shape.columns * stage.shape.channels / (source.shape.elements * depth)

    return sorted((stage.name for stage in strided), key=saving, reverse=True)


def joined(network: Network, first: int, last: int) -> ChainNode:
    """Return nodes [first, last] as one chain."""
    return joining.joined(network, first, last)


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

    The choices of its options are tuples, one option per variant; see `each`.
    """
    first = prepared[0].planner
    if len(prepared) == 1:
        return first
    return replace(first, options=together(first.network, [entry.planner.options for entry in prepared]))


def each(option: Option) -> tuple[Option, ...]:
    """Return the options of the variants that an option of `common_planner` stands for."""
    several = isinstance(option.choice, tuple) and all(isinstance(entry, Option) for entry in option.choice)
    return option.choice if several else (option,)


def symbol(library: str, label: str) -> str:
    """Return the C name of a node's kernel."""
    return library + "_" + re.sub(r"\W", "_", label, flags=re.ASCII)


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
    variants = zip(*(each(piece.option) for piece in cuts.pieces), strict=True)
    kernels = [[NodeKernel("", (), option.scratch, option.in_place) for option in options] for options in variants]
    return placed_bytes(cut(network, cuts), *(kernels or [[]])) + pool_bytes(threads)


def cut(network: Network, cuts: Cuts) -> Network:
    """Return the network whose nodes are the pieces of ``cuts``."""
    return joining.cut(network, [piece.first for piece in cuts.pieces])
