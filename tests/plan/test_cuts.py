"""The planner finds what trying every cut finds, on random small networks with random options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, pairwise, product
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.plan.arena import aligned
from mnv2c.plan.assemble import NodeKernel, assemble
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.plan.join import cut, may_join
from mnv2c.plan.network import ChainNode, FallbackNode, Network, Node, Tensor
from mnv2c.planner.cuts import Cuts, Option, Planner

PIXEL = Shape(1, 1, 1)
STAGE = Stage("stage", StageKind.POINTWISE, ("input_0",), PIXEL)
ANY = Chain("any", (PIXEL,), (STAGE,), ("stage",))
WITH_SIDE = Chain("any", (PIXEL,), (STAGE,), ("stage", "stage"))
CHANNELS = (16, 16, 20, 160)
"""Few different sizes, so that many plans tie."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A network and the ways to run each of its runs of nodes."""

    network: Network
    options: dict[tuple[int, int], list[Option]]

    @property
    def planner(self) -> Planner:
        return Planner(self.network, lambda first, last: self.options[first, last])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A line of chains and fallbacks; some results are read again later, or by nobody, some are also the caller's.

    Branches from some of them leave parts of one more tensor, which is the caller's or read at the end.
    """
    count = draw(st.sampled_from((1, 2, 3, 4, 4, 4)))
    nodes: list[Node] = []
    parts: list[str] = []
    for index in range(count):
        source = f"t{index}"
        if draw(st.integers(0, 4)) == 0:
            earlier = f"t{draw(st.integers(0, index))}"
            inputs = tuple(dict.fromkeys((source, earlier)))
            nodes.append(FallbackNode(f"n{index}", "add", None, inputs, (f"t{index + 1}",)))
        else:
            side = (f"side{index}",) if draw(st.integers(0, 7)) == 0 else ()
            chain = WITH_SIDE if side else ANY
            nodes.append(ChainNode(f"n{index}", chain, {}, (source,), (f"t{index + 1}", *side)))
        if len(nodes) < 4 and draw(st.integers(0, 3)) == 0:
            parts.append(f"part{index}")
            nodes.append(
                ChainNode(f"b{index}", ANY, {}, (draw(st.sampled_from((source, f"t{index + 1}"))),), (parts[-1],))
            )
    outputs = {f"t{count}", *(f"t{index}" for index in range(1, count) if draw(st.integers(0, 5)) == 0)}
    names = ["t0", *(name for node in nodes for name in node.outputs)]
    tensors = {name: Tensor(name, (1, 1, 1, draw(st.sampled_from(CHANNELS))), "float32") for name in names}
    if parts:
        tensors["parts"] = Tensor("parts", (1, 1, 1, 16 * len(parts)), "float32")
        for index, name in enumerate(parts):
            tensors[name] = Tensor(name, (1, 1, 1, 16), "float32", home="parts", offset=64 * index)
        if draw(st.booleans()):
            outputs.add("parts")
        else:
            tensors["sum"] = tensors[f"t{count}"]
            nodes.append(FallbackNode("last", "add", None, ("parts",), ("sum",)))
            outputs.add("sum")
    return Network(tensors, tuple(nodes), ("t0",), tuple(sorted(outputs)))


def overwrites(network: Network, index: int) -> bool:
    """Whether a node may lie on its input: both in the arena, equally large, the input not read again."""
    node = network.nodes[index]
    source, result = str(node.inputs[0]), node.outputs[0]
    callers = {*network.inputs, *network.outputs}
    same = network.tensors[source].bytes == network.tensors[result].bytes
    placed = any(network.tensors[name].home for name in (source, result))
    return same and not placed and not {source, result} & callers and network.last_use(source) == index


@st.composite
def problems(draw: st.DrawFn) -> Drawn:
    network = draw(networks())
    count = len(network.nodes)
    options: dict[tuple[int, int], list[Option]] = {}
    for first, last in combinations_with_replacement(range(count), 2):
        options[first, last] = [
            Option(
                float(draw(st.integers(0, 6))),
                tuple(draw(st.lists(st.sampled_from((4, 64, 100, 640)), max_size=2))),
                first == last and overwrites(network, first) and draw(st.integers(0, 3)) > 0,
            )
            for _ in range(draw(st.integers(1, 2)))
        ]
    return Drawn(network, options)


def all_plans(drawn: Drawn) -> Iterator[tuple[float, int]]:
    """Cycles and bytes of every cut with every choice of options, the bytes from the assembled program."""
    network, count = drawn.network, len(drawn.network.nodes)
    for number in range(count):
        for inner in combinations(range(1, count), number):
            runs = [(first, end - 1) for first, end in pairwise((0, *inner, count))]
            if not all(may_join(network, *run) for run in runs):
                continue
            joined = cut(network, [first for first, _ in runs])
            for chosen in product(*(drawn.options[run] for run in runs)):
                yield sum(option.cycles for option in chosen), used(joined, chosen)


def used(network: Network, chosen: tuple[Option, ...]) -> int:
    """The most bytes in use during any step, if nothing is lost between buffers."""
    kernels = [NodeKernel("k", (), option.scratch, option.in_place) for option in chosen]
    buffers = assemble(network, kernels).buffers
    steps = range(len(kernels))
    return max(sum(aligned(b.bytes) for b in buffers if b.first <= step <= b.last) for step in steps)


def best(plans: list[tuple[float, int]], limit: float) -> tuple[float, int] | None:
    return min((plan for plan in plans if plan[1] <= limit), default=None)


def figures(cuts: Cuts | None) -> tuple[float, int] | None:
    return None if cuts is None else (cuts.cycles, cuts.peak)


@given(problems())
@settings(max_examples=120)
def test_the_planner_finds_what_trying_everything_finds(drawn: Drawn) -> None:
    plans, planner = list(all_plans(drawn)), drawn.planner
    for limit in {inf, *(size + more for _, size in plans for more in (-1, 0))}:
        assert figures(planner.fastest(limit)) == best(plans, limit)


@given(problems())
@settings(max_examples=120)
def test_the_frontier_is_strictly_monotone_and_complete(drawn: Drawn) -> None:
    plans, found = list(all_plans(drawn)), [(cuts.cycles, cuts.peak) for cuts in drawn.planner.frontier()]
    for (slower, smaller), (faster, larger) in pairwise(found):
        assert faster < slower and smaller < larger
    assert set(found) == {best(plans, size) for _, size in plans}


@given(problems())
@settings(max_examples=40)
def test_a_limit_below_everything_gives_nothing(drawn: Drawn) -> None:
    smallest = drawn.planner.frontier()[0].peak
    assert drawn.planner.fastest(smallest - 1) is None
    assert drawn.planner.fastest(smallest) is not None


@given(problems())
@settings(max_examples=40)
def test_pieces_cover_every_node_once(drawn: Drawn) -> None:
    for cuts in drawn.planner.frontier():
        assert [index for piece in cuts.pieces for index in range(piece.first, piece.last + 1)] == list(
            range(len(drawn.network.nodes))
        )
        assert cuts.peak == max(piece.peak for piece in cuts.pieces)
        assert all(piece.option in drawn.options[piece.first, piece.last] for piece in cuts.pieces)


def test_no_option_no_plan() -> None:
    tensors: dict[str, Any] = {name: Tensor(name, (1, 4), "float32") for name in ("x", "y")}
    network = Network(tensors, (ChainNode("n", ANY, {}, ("x",), ("y",)),), ("x",), ("y",))
    planner = Planner(network, lambda first, last: [])
    assert planner.fastest() is None
    assert planner.frontier() == []


def test_an_empty_network_has_one_empty_plan() -> None:
    planner = Planner(Network({}, (), (), ()), lambda first, last: [])
    assert [cuts.pieces for cuts in planner.frontier()] == [()]
