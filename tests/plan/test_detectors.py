"""Detectors of the zoo as networks of chains: nothing left over, no copy, every prediction in its place."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mnv2c.plan.assemble import NodeKernel, assemble
from mnv2c.plan.join import is_branch, joined
from mnv2c.plan.network import Network
from mnv2c.plan.program import Space
from mnv2c.spec import from_toml, load, to_toml
from mnv2c.to_onnx import emit
from mnv2c.weights import expected
from tests.pipeline import fuse

MODELS = ("ssdlite_mobilenet_v2", "ssd_mobilenet_v2", "mb2_ssd_lite")
MAPS = 6


@cache
def network(model: str, resolution: str) -> Network:
    """A narrow detector with weights made in no time."""
    spec = from_toml(to_toml(load(model, width=0.35, resolution=resolution, classes=5)))
    values = np.linspace(0.5, 1.5, 7, dtype=np.float32)
    return fuse(emit(spec, {name: np.resize(values, shape) for name, shape in expected(spec).items()}))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("resolution", ["96", "97x131"])
def test_every_map_is_predicted_from_at_once_and_into_its_place(model: str, resolution: str) -> None:
    found = network(model, resolution)
    assert found.fallbacks == ()
    assert found.outputs == ("boxes", "scores")
    heads = [node for node in found.chains if is_branch(found, node)]
    assert [node.chain.kind for node in heads] == ["prediction"] * MAPS
    for index, node in enumerate(found.nodes):
        if is_branch(found, node):
            assert set(node.inputs) <= set(found.nodes[index - 1].outputs)
    for home in found.outputs:
        parts = [found.tensors[name] for node in heads for name in node.outputs if found.tensors[name].home == home]
        assert len(parts) == MAPS
        ends = [part.offset + part.bytes for part in parts]
        assert [part.offset for part in parts] == [0, *ends[:-1]]
        assert ends[-1] == found.tensors[home].bytes


def test_kernels_get_addresses_inside_the_callers_buffers() -> None:
    found = network("ssdlite_mobilenet_v2", "96")
    program = assemble(found, [NodeKernel("k", (), ()) for _ in found.nodes])
    places = [place for step in program.steps for place in step.arguments if place.space is Space.OUTPUT]
    assert len(places) == 2 * MAPS
    assert {place.index for place in places} == {0, 1}
    assert len(set(places)) == len(places)
    results = [result for step in program.steps for result in step.results if result.location.space is Space.OUTPUT]
    assert {(result.location, result.onnx_layout) for result in results} == {(place, "NCHW") for place in places}
    assert [port.name for port in program.outputs] == ["boxes", "scores"]
    assert not {buffer.name for buffer in program.buffers} & {"boxes", "scores"}


def test_the_tap_of_the_strided_block_need_not_exist_as_a_whole() -> None:
    found = network("ssdlite_mobilenet_v2", "96")
    index = next(
        index for index, node in enumerate(found.nodes) if len(node.outputs) == 2 and "side" in node.outputs[1]
    )
    block, head = found.chains[index], found.chains[index + 1]
    assert block.chain.outputs == ("project", "expand")
    assert head.inputs == block.outputs[1:]
    whole = joined(found, index, index + 1)
    assert whole.outputs == (block.outputs[0], *head.outputs)
    assert not any(name.startswith("expand") for name in whole.chain.outputs)
    assert whole.chain.madds == block.chain.madds + head.chain.madds
