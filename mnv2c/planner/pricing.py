"""Every way to run a chain, laid out, which gives its memory, and priced in predicted cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnv2c.errors import ScheduleError
from mnv2c.kernels.carried import may_carry
from mnv2c.kernels.cost import Caches, predicted_cycles
from mnv2c.kernels.division import check_parts, divisions
from mnv2c.kernels.layout import KernelLayout, kernel_layout
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan import join as joining
from mnv2c.plan.arena import aligned
from mnv2c.plan.assemble import runs_in_place
from mnv2c.plan.chain import Chain, StageKind, input_name, with_loads
from mnv2c.plan.network import FallbackNode, Network
from mnv2c.planner.cuts import Candidate, Option, Tuned
from mnv2c.records.best import NOTHING, Best, Kept, warn_user
from mnv2c.schedule.analytic import WHOLE_PIXELS
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
        chain = joining.joined(self.network, first, last).chain
        in_place = runs_in_place(self.network, first) if first == last else None
        found = [option for kept in self._chains(chain, in_place) for option in self._of(kept)]
        kept = self.best.kept(chain)
        if kept is not None:
            return [*found, *self._recorded(kept, chain, in_place, found)]
        default = self.best.default(chain)
        if default is None:
            return found
        same = [replace(default, in_place=in_place) for in_place in (True, False)]  # whichever the network allows
        return [replace(way, confirmed=way.candidate is not None and way.candidate.choice in same) for way in found]

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
        return [Option(priced * kept.ratio, scratch, layout.chain.in_place, Candidate(layout, choice.parts), tuned)]

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
        options = [
            Option(predicted_cycles(layout, caches), layout.region_bytes, layout.chain.in_place, Candidate(layout))
        ]
        for parts, cycles in divisions(layout, self.threads, caches):
            scratch = tuple(aligned(size) * parts.copies for size in layout.region_bytes)
            options.append(Option(cycles, scratch, layout.chain.in_place, Candidate(layout, parts)))
        return options


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
