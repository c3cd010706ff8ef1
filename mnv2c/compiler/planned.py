"""``mnv2c plan``: the plan that a compile would take, and those between which time and memory can be traded.

Everything is planned and nothing compiled: no kernel is emitted, nothing is linked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.options import PlanOptions
from mnv2c.errors import CompilerError, UserError
from mnv2c.plan.work import FallbackWork, fallback_work

if TYPE_CHECKING:
    from mnv2c.kernels.layout import KernelLayout
    from mnv2c.plan.chain import Stage
    from mnv2c.plan.network import Network
    from mnv2c.planner.cuts import Cuts, Piece, Planner, Tuned
    from mnv2c.spec.bounds import Bound


class Keeps(StrEnum):
    """What a kernel keeps from one pass to the next of what a depthwise stage reads."""

    RING = "ring"
    SUMS = "sums"
    NOTHING = "nothing"
    IMAGE = "image"


@dataclass(frozen=True)
class Window:
    """A depthwise stage: ``channels`` of its input are in flight at a time, of which the kernel ``keeps`` something."""

    stage: str
    keeps: Keeps
    channels: int


@dataclass(frozen=True)
class PlannedChain:
    """One kernel call; ``joins`` names the network's chains that it takes at once.

    ``rows`` of its result are computed per step, 0 being the whole image; it is None for a fallback, as are ``cycles``
    and ``share``. ``scratch_bytes`` are its own, ``peak_bytes`` all that is in use of the arena meanwhile.
    ``parts`` says how several threads share it: how it is cut, and into how many parts. ``tuned`` is set where a record
    decided how it runs; its cycles are then the predicted ones times the measured ratio.
    """

    name: str
    joins: tuple[str, ...]
    stages: tuple[str, ...]
    rows: int | None
    windows: tuple[Window, ...]
    in_place: bool
    madds: int
    cycles: float | None
    share: float | None
    scratch_bytes: int
    peak_bytes: int
    parts: tuple[str, int] | None = None
    tuned: Tuned | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **asdict(self),
            "joins": list(self.joins),
            "stages": list(self.stages),
            "windows": [{**asdict(window), "keeps": str(window.keeps)} for window in self.windows],
            "cycles": None if self.cycles is None else round(self.cycles),
            "share": None if self.share is None else round(self.share, 4),
            "parts": None if self.parts is None else {"cut": self.parts[0], "count": self.parts[1]},
            "tuned": None if self.tuned is None else self.tuned.as_dict(),
        }


@dataclass(frozen=True)
class Point:
    """A plan that is the fastest in so much memory: its time as a multiple of the fastest plan's, its kernel calls."""

    arena_bytes: int
    cycles: float
    time_ratio: float
    chains: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **asdict(self),
            "cycles": round(self.cycles),
            "time_ratio": round(self.time_ratio, 4),
            "chains": list(self.chains),
        }


@dataclass(frozen=True)
class Plan:
    """The plan of a model for a target: its chains in order, the frontier, smallest arena first, the paper's bounds.

    ``arena_limit`` is the limit that was given. Cycles are predicted, to compare plans; they are not a time.
    ``bounds`` are empty for an ONNX file; ``work`` is that of the fallbacks.
    """

    name: str
    summary: str
    target: str
    threads: int
    arena_limit: int | None
    arena_bytes: int
    cycles: float
    chains: tuple[PlannedChain, ...]
    frontier: tuple[Point, ...]
    bounds: tuple[Bound, ...]
    work: FallbackWork

    @property
    def time_ratio(self) -> float:
        """Predicted time as a multiple of the fastest plan's; 1 where nothing but fallbacks is planned."""
        return self.cycles / self.frontier[-1].cycles if self.frontier[-1].cycles else 1.0

    @property
    def madds(self) -> int:
        """Multiply-adds of all chains and fallbacks."""
        return sum(chain.madds for chain in self.chains)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "summary": self.summary,
            "target": self.target,
            "threads": self.threads,
            "arena_limit": self.arena_limit,
            "arena_bytes": self.arena_bytes,
            "cycles": round(self.cycles),
            "time_ratio": round(self.time_ratio, 4),
            "madds": self.madds,
            "chains": [chain.as_dict() for chain in self.chains],
            "frontier": [point.as_dict() for point in self.frontier],
            "fallback_work": self.work.as_dict(),
            "bounds": [{**asdict(bound), "equations": list(bound.equations)} for bound in self.bounds],
        }


def plan_model(options: PlanOptions) -> Plan:
    """Plan a zoo model, a TOML spec or an ONNX file as ``compile_model`` would; UserError, PlanError, CompilerError."""
    from mnv2c import targets
    from mnv2c.compiler.guard import one_line_errors
    from mnv2c.compiler.pipeline import run
    from mnv2c.compiler.variants import parts
    from mnv2c.records.best import load_best

    options.check_values()
    if len(parts(options.target)) > 1:
        raise UserError(f'target "{options.target}": a plan is shown for one CPU at a time; give one of them')
    chosen = targets.load(options.target)
    state = Compilation(options, (chosen,), (load_best(chosen, options.threads, options.schedules),))
    run(state, last="plan")
    with one_line_errors(state.source.title, "planned"):
        found = _found(state)
    options.tell("done", 1.0)
    return found


def _found(state: Compilation) -> Plan:
    from mnv2c.planner.choose import arena_bytes

    network, cuts, threads = state.network, state.cuts, state.options.threads
    return Plan(
        name=state.source.title,
        summary=state.source.summary,
        target=state.targets[0].name,
        threads=threads,
        arena_limit=state.options.arena_limit,
        arena_bytes=arena_bytes(network, cuts, threads),
        cycles=cuts.cycles,
        chains=tuple(_chain(network, cuts, piece) for piece in cuts.pieces),
        frontier=_frontier(state.prepared[0].planner, threads),
        bounds=_bounds(state.source.description.get("toml")),
        work=fallback_work(network),
    )


def _bounds(toml: str | None) -> tuple[Bound, ...]:
    if toml is None:
        return ()
    from mnv2c.spec import from_toml
    from mnv2c.spec.bounds import bounds

    return bounds(from_toml(toml))


def _frontier(plans: Planner, threads: int) -> tuple[Point, ...]:
    """The planner's frontier by what arenas really take: where buffers leave gaps a larger plan may need less."""
    from mnv2c.planner.choose import arena_bytes, cut

    sized = [(arena_bytes(plans.network, cuts, threads), cuts) for cuts in plans.frontier()]
    fastest, points = min(cuts.cycles for _, cuts in sized), list[Point]()
    for size, cuts in sorted(sized, key=lambda entry: (entry[0], entry[1].cycles)):
        if not points or cuts.cycles < points[-1].cycles:
            ratio = cuts.cycles / fastest if fastest else 1.0
            names = tuple(node.label for node in cut(plans.network, cuts).nodes)
            points.append(Point(size, cuts.cycles, ratio, names))
    return tuple(points)


def _chain(network: Network, cuts: Cuts, piece: Piece) -> PlannedChain:
    from mnv2c.plan.join import joined
    from mnv2c.plan.network import FallbackNode

    node, scratch = network.nodes[piece.first], sum(piece.option.scratch)
    if isinstance(node, FallbackNode):
        return PlannedChain(
            name=node.label,
            joins=(node.label,),
            stages=(node.operator,),
            rows=None,
            windows=(),
            in_place=False,
            madds=node.madds,
            cycles=None,
            share=None,
            scratch_bytes=scratch,
            peak_bytes=piece.peak,
        )
    candidate = piece.option.candidate
    if candidate is None:
        raise CompilerError(f"{node.label}: planned without a way to run; please report this")
    layout, parts = candidate.layout, candidate.parts
    whole = joined(network, piece.first, piece.last)
    stages = [stage for stage in layout.chain.stages if stage.kind == "depthwise"]
    return PlannedChain(
        name=whole.label,
        joins=tuple(entry.label for entry in network.nodes[piece.first : piece.last + 1]),
        stages=tuple(str(stage.kind) for stage in whole.chain.stages),
        rows=layout.schedule.rows,
        windows=tuple(_window(layout, stage) for stage in stages),
        in_place=layout.chain.in_place,
        madds=whole.chain.madds,
        cycles=piece.option.cycles,
        share=piece.option.cycles / cuts.cycles,
        scratch_bytes=scratch,
        peak_bytes=piece.peak,
        parts=None if parts is None else (str(parts.cut), parts.count),
        tuned=piece.option.tuned,
    )


def _window(layout: KernelLayout, stage: Stage) -> Window:
    carried = layout.carry(stage.name)
    channels = carried or layout.schedule.chunk or stage.shape.channels
    if carried:
        keeps = Keeps.SUMS if stage.name in layout.sums else Keeps.NOTHING
    else:
        keeps = Keeps.IMAGE if layout.flow.whole else Keeps.RING
    return Window(stage.name, keeps, channels)
