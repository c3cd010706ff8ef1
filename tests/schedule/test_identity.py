"""Identities of chains and networks: structure alone decides, and a description holds all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.plan.chain import RELU6, Chain, Order, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.join import joined, may_join
from mnv2c.plan.network import Network
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.identity import chain_id, describe, network_id, restore
from mnv2c.spec import load
from tests.plan.networks import chains_of, network


@pytest.fixture(scope="module")
def small() -> Network:
    return network(0.35, "96")


@pytest.fixture(scope="module")
def chains(small: Network) -> list[Chain]:
    """Every chain of a network alone, and joined with up to two after it."""
    count = len(small.nodes)
    spans = [(first, last) for first in range(count) for last in range(first, min(first + 3, count))]
    return [joined(small, first, last).chain for first, last in spans if may_join(small, first, last)]


def test_what_is_restored_is_the_same_chain_under_other_names(chains: list[Chain]) -> None:
    assert len(chains) > 40
    for chain in chains:
        again = restore(json.loads(json.dumps(describe(chain))))
        assert describe(again) == describe(chain)
        assert (again.inputs, again.madds, again.in_place) == (chain.inputs, chain.madds, False)
        assert [stage.shape for stage in again.stages] == [stage.shape for stage in chain.stages]
        assert restore(describe(again)) == again


def test_a_restored_chain_has_the_same_kernel(chains: list[Chain]) -> None:
    for provider in (PROVIDERS["avx512"], PROVIDERS["neon"]) if "neon" in PROVIDERS else PROVIDERS.values():
        for chain in chains:
            again = restore(describe(chain))
            schedule = analytic_schedule(chain, provider, 512 << 10)
            assert analytic_schedule(again, provider, 512 << 10) == schedule
            first, second = (kernel_layout(entry, schedule, provider) for entry in (chain, again))
            assert (first.scratch, list(first.packings.values())) == (second.scratch, list(second.packings.values()))


def test_names_place_and_loads_do_not_matter(chains: list[Chain]) -> None:
    for chain in chains:
        assert chain_id(replace(chain, in_place=True, kind="other")) == chain_id(chain)
        assert chain_id(with_loads(chain, gather=True)) == chain_id(with_loads(chain)) == chain_id(chain)


def test_different_chains_have_different_identities(chains: list[Chain]) -> None:
    assert len({chain_id(chain) for chain in chains}) == len({json.dumps(describe(chain)) for chain in chains}) > 30
    chain = chains_of(load("mobilenet_v2", width=0.35, resolution="96"))[1]
    others = [
        replace(chain, input_orders=(Order.NCHW,)),
        replace(chain, stages=(replace(chain.stages[0], activation=None), *chain.stages[1:])),
        replace(chain, outputs=(chain.stages[0].name, *chain.outputs)),
        replace(chain, stages=(*chain.stages[:-1], replace(chain.stages[-1], dtype="int32"))),
        replace(chain, stages=(chain.stages[0], replace(chain.stages[1], window=Window((3, 3))), *chain.stages[2:])),
    ]
    assert len({chain_id(entry) for entry in [chain, *others]}) == 6


def test_infinite_bounds_survive() -> None:
    stage = Stage("dense", StageKind.DENSE, ("input_0",), Shape(1, 1, 8), activation=replace(RELU6, high=float("inf")))
    chain = Chain("dense", (Shape(1, 1, 4),), (stage,), ("dense",))
    assert json.loads(json.dumps(describe(chain)))["stages"][0]["clamp"] == [0.0, None]
    assert restore(describe(chain)).stages == (stage,)


def test_identities_are_the_same_in_every_process() -> None:
    chain = Chain("x", (Shape(2, 2, 3),), (Stage("a", StageKind.POOL, ("input_0",), Shape(1, 1, 3)),), ("a",))
    code = (
        "from mnv2c.plan.chain import *; from mnv2c.schedule.identity import chain_id; "
        "print(chain_id(Chain('y', (Shape(2, 2, 3),), (Stage('b', StageKind.POOL, ('input_0',), Shape(1, 1, 3)),), "
        "('b',))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == chain_id(chain)


@pytest.mark.parametrize("broken", [{}, {"inputs": 1}, {"inputs": [[1]], "stages": [], "outputs": []}, {"stages": 0}])
def test_what_describes_no_chain_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ScheduleError, match="not a description"):
        restore(broken)


def test_networks_are_told_apart_by_structure_only(small: Network) -> None:
    assert network_id(small) == network_id(network(0.35, "96"))
    assert network_id(small) != network_id(network(0.35, "128"))
    renamed = {name: f"other_{name}" for name in small.tensors}
    nodes = [
        replace(node, label="x", inputs=tuple(renamed.get(name, name) for name in node.inputs),
                outputs=tuple(renamed[name] for name in node.outputs))
        for node in small.nodes
    ]  # fmt: skip
    same = Network(
        {renamed[name]: replace(tensor, name=renamed[name]) for name, tensor in small.tensors.items()},
        tuple(nodes),
        tuple(renamed[name] for name in small.inputs),
        tuple(renamed[name] for name in small.outputs),
    )
    assert network_id(same) == network_id(small)
