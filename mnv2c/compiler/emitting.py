"""From a plan to kernels: one TIR function for every way in which a distinct chain is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from mnv2c.codegen.fallback import LoweredFallback
from mnv2c.compiler.artefacts import Kernels
from mnv2c.dtypes import COMPUTED
from mnv2c.kernels.chain import emit_chain, pack_weights
from mnv2c.kernels.layout import KernelLayout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.next_weights import fetched_bytes
from mnv2c.plan.assemble import NodeKernel
from mnv2c.plan.chain import Chain
from mnv2c.plan.network import ChainNode, FallbackNode, Network
from mnv2c.plan.parts import Parts
from mnv2c.plan.work import FallbackWork
from mnv2c.planner import prepare
from mnv2c.schedule.record import ChainSchedule

if TYPE_CHECKING:
    from mnv2c.planner.cuts import Candidate, Cuts, Option
    from mnv2c.planner.prepare import Prepared
    from mnv2c.targets import Target


_Kernel: TypeAlias = tuple[Chain, ChainSchedule, Parts | None]


def emit(
    cut: Network,
    work: FallbackWork,
    cuts: Cuts,
    options: Sequence[Option],
    library: str,
    prepared: Prepared,
    target: Target,
) -> Kernels:
    """Emit the kernels of one target; ``options`` say how it runs every piece.

    Equal chains that run alike share a kernel.
    """
    nodes: list[NodeKernel] = []
    chains = [option.candidate for option in options]
    emitter = _Emitter(library, _following(chains, fetched_bytes(provider_for(COMPUTED.name, target), target.l2_bytes)))
    for node, piece, option in zip(cut.nodes, cuts.pieces, options, strict=True):
        if isinstance(node, FallbackNode):
            nodes.append(emitter.fallback(node, prepared.fallbacks[piece.first]))
        elif option.candidate is not None:
            nodes.append(emitter.chain(node, option.candidate))
    tuned = tuple(option.tuned for option in options)
    return Kernels(cut, tuple(nodes), emitter.functions, emitter.layouts, tuned, work)


def _following(chains: Sequence[Candidate | None], most: int) -> dict[_Kernel, int]:
    """Return how many bytes of weights each kernel may fetch for the next one; neither is shared by threads."""
    found: dict[_Kernel, int] = {}
    for this, after in pairwise(chains):
        if this is not None and after is not None and this.parts is None and after.parts is None:
            key = _kernel(this)
            found[key] = max(found.get(key, 0), min(after.layout.weight_bytes, most))
    return found


def _kernel(candidate: Candidate) -> _Kernel:
    return candidate.layout.chain, candidate.layout.schedule, candidate.parts


class _Emitter:
    def __init__(self, library: str, following: Mapping[_Kernel, int]) -> None:
        self.library, self._following = library, following
        self.functions: dict[str, Any] = {}
        self.layouts: dict[str, KernelLayout] = {}
        self._symbols: dict[_Kernel, str] = {}

    def chain(self, node: ChainNode, candidate: Candidate) -> NodeKernel:
        layout, parts = candidate.layout, candidate.parts
        symbol = prepare.symbol(self.library, node.label)
        key = _kernel(candidate)
        symbol = self._symbols.setdefault(key, symbol)
        if symbol not in self.functions:
            self.layouts[symbol] = layout
            self.functions[symbol] = emit_chain(layout, symbol, parts, self._following.get(key, 0))
        in_place = layout.chain.in_place
        return NodeKernel(
            symbol=symbol,
            weights=pack_weights(layout, node.weights),
            scratch=layout.region_bytes,
            in_place=in_place,
            comment=" -> ".join(stage.kind for stage in node.chain.stages) + (", in place" if in_place else ""),
            scratch_names=tuple(region.name.removeprefix("ring_") for region in layout.regions),
            parts=parts,
        )

    def fallback(self, node: FallbackNode, lowered: LoweredFallback) -> NodeKernel:
        self.functions[lowered.symbol] = lowered.function
        return NodeKernel(lowered.symbol, (), lowered.scratch, comment=f"fallback: {node.operator}")
