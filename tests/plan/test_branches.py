"""What a detector predicts on its way: computed at once, joined with what it reads, at a pace of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.errors import ScheduleError
from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.interpreter import interpret
from mnv2c.plan.join import is_branch, joined, may_join
from mnv2c.plan.network import ChainNode, FallbackNode, Network, Node, Tensor
from mnv2c.plan.order import branches_first
from mnv2c.plan.rates import end_rates
from tests.kernels.reference import evaluate
from tests.plan.drawn import divisors, tensors
from tests.plan.test_join import bottleneck

SEEN = Window((3, 3), padding=((1, 1), (1, 1)))


def head(shape: Shape, separable: bool) -> Chain:
    """Boxes and scores of one map."""
    stages: list[Stage] = []
    for name, channels in (("boxes", 1), ("scores", 2)):
        result = Shape(shape.rows, shape.columns, channels)
        if separable:
            stages.append(Stage(f"{name}_seen", StageKind.DEPTHWISE, ("input_0",), shape, SEEN, RELU6))
            stages.append(Stage(name, StageKind.POINTWISE, (f"{name}_seen",), result))
        else:
            stages.append(Stage(name, StageKind.CONV, ("input_0",), result, SEEN))
    return Chain("prediction", (shape,), tuple(stages), ("scores", "boxes"))


@dataclass
class Drawing:
    """A detector as it grows: a line of nodes with maps that are predicted from."""

    nodes: list[Node]
    shapes: dict[str, Shape]

    def add(self, chain: Chain, source: str, *results: str) -> None:
        weights = tensors(chain, len(self.nodes))[1]
        self.nodes.append(ChainNode(results[0], chain, weights, (source,), results))
        self.shapes |= {name: chain.shape(stage) for name, stage in zip(results, chain.outputs, strict=True)}

    def predict(self, number: int, source: str, separable: bool) -> None:
        self.add(head(self.shapes[source], separable), source, f"scores_{number}", f"boxes_{number}")


@st.composite
def detectors(draw: st.DrawFn) -> Network:
    """One to three bottlenecks; heads on results, on the expansion of a strided one, or on nothing; in any order."""
    image = Shape(draw(st.integers(1, 11)), draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    drawn, source, maps = Drawing([], {"x": image}), "x", list[str]()
    for number in range(draw(st.integers(1, 3))):
        chain = bottleneck(drawn.shapes[source], draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        result, style = f"t{number}", draw(st.sampled_from(("tapped", "read", "none")))
        if style == "tapped":
            drawn.add(replace(chain, outputs=("project", "expand")), source, result, f"tap{number}")
            maps.append(f"tap{number}")
        else:
            drawn.add(chain, source, result)
            maps += [result] if style == "read" else []
        source = result
    if source not in maps:
        maps.append(source)
    for number, name in enumerate(maps):
        drawn.predict(number, name, draw(st.booleans()))
    return network(drawn, len(maps))


def network(drawn: Drawing, heads: int) -> Network:
    """All predictions lie in two tensors of the caller, one map behind the other."""
    found = {
        name: Tensor(name, (1, shape.rows, shape.columns, shape.channels), "float32")
        for name, shape in drawn.shapes.items()
    }
    for home in ("boxes", "scores"):
        offset = 0
        for name in (f"{home}_{number}" for number in range(heads)):
            found[name] = replace(found[name], home=home, offset=offset)
            offset += found[name].bytes
        found[home] = Tensor(home, (1, offset // 4), "float32")
    return Network(found, tuple(drawn.nodes), ("x",), ("boxes", "scores"))


def run(nodes: Sequence[ChainNode], image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor, one node after the other."""
    values = {"x": image}
    for node in nodes:
        results = evaluate(node.chain, [values[name] for name in node.inputs], node.weights)
        values |= {name: results[stage] for name, stage in zip(node.outputs, node.chain.outputs, strict=True)}
    return values


@given(detectors())
@settings(max_examples=30)
def test_predictions_follow_what_they_read(found: Network) -> None:
    ordered = branches_first(found)
    assert sorted(node.label for node in ordered.nodes) == sorted(node.label for node in found.nodes)
    line = [node for node in found.nodes if not is_branch(found, node)]
    assert [node for node in ordered.nodes if not is_branch(found, node)] == line
    for index, node in enumerate(ordered.nodes):
        if is_branch(found, node):
            before = next(other for other in reversed(ordered.nodes[:index]) if not is_branch(found, other))
            assert set(node.inputs) <= set(before.outputs)


@given(detectors(), st.data())
@settings(max_examples=40)
def test_a_line_joined_with_its_predictions_computes_what_its_nodes_compute(
    found: Network, data: st.DataObject
) -> None:
    ordered = branches_first(found)
    count = len(ordered.nodes)
    runs = [
        (first, last) for first in range(count) for last in range(first + 1, count) if may_join(ordered, first, last)
    ]
    assert (0, 1) in runs
    for first, last in runs:
        whole = joined(ordered, first, last)
        assert whole.chain.outputs[0] == whole.chain.stages[-1].name
        kept = {name for node in ordered.nodes[first : last + 1] for name in node.outputs}
        assert set(whole.outputs) == {name for name in kept if ordered.last_use(name) > last}
    first, last = data.draw(st.sampled_from(runs))
    whole = joined(ordered, first, last)
    rows = data.draw(st.sampled_from(divisors(whole.chain.stages[-1].shape.rows)))
    (image,), _ = tensors(ordered.chains[0].chain, 7)
    wanted = run(ordered.chains, image)
    inputs = [wanted[name].astype(np.float32) for name in whole.inputs]
    try:
        results = interpret(with_loads(whole.chain), rows, inputs, whole.weights)
    except ScheduleError as error:  # extents of an odd image may not fit a pace
        assert "of its rows per step" in str(error)
        return
    for name, result in zip(whole.outputs, results, strict=True):
        scale = max(1.0, float(abs(wanted[name]).max()))
        assert abs(result - wanted[name]).max() <= 1e-4 * scale, name


def test_a_head_on_the_tap_of_a_strided_block_takes_two_rows_a_step() -> None:
    shape = Shape(8, 6, 2)
    block = replace(bottleneck(shape, 2, 3), outputs=("project", "expand"))
    drawn = Drawing([], {"x": shape})
    drawn.add(block, "x", "t", "tap")
    drawn.predict(0, "tap", True)
    drawn.add(bottleneck(block.stage("project").shape, 1, 2), "t", "u")
    drawn.predict(1, "u", True)
    found = branches_first(network(drawn, 2))
    whole = joined(found, 0, 1)
    assert [node.label for node in found.nodes] == ["t", "scores_0", "u", "scores_1"]
    assert whole.outputs == ("t", "scores_0", "boxes_0")
    assert [stage.name for stage in whole.chain.stages][-2:] == ["depthwise_1", "project_1"]
    assert end_rates(whole.chain, 1) == {"boxes_2": 2, "scores_2": 2, "project_1": 1}
    assert may_join(found, 0, 3)


def test_what_the_line_leaves_for_others_is_not_joined_past() -> None:
    shape = Shape(4, 4, 2)
    drawn = Drawing([], {"x": shape})
    drawn.add(bottleneck(shape, 1, 2), "x", "a")
    drawn.predict(0, "a", True)
    drawn.add(bottleneck(shape, 1, 2), "a", "b")
    drawn.predict(1, "b", True)
    found = branches_first(network(drawn, 2))
    late = FallbackNode("late", "add", None, ("a",), ("y",))
    read = replace(
        found,
        nodes=(*found.nodes, late),
        outputs=(*found.outputs, "y"),
        tensors={**found.tensors, "y": replace(found.tensors["b"], name="y")},
    )
    assert may_join(found, 0, 3)
    assert may_join(read, 0, 1)  # a leaves the joined chain beside its predictions
    assert "a" in joined(read, 0, 1).outputs
    assert not may_join(read, 0, 2)


def test_what_reads_joined_predictions_runs_behind_the_last_of_them() -> None:
    """No node makes the joined tensor as a whole: each head makes a part of it."""
    shape = Shape(4, 4, 2)
    drawn = Drawing([], {"x": shape})
    drawn.add(bottleneck(shape, 1, 2), "x", "a")
    drawn.add(bottleneck(shape, 1, 2), "a", "b")
    drawn.predict(0, "a", True)
    drawn.predict(1, "b", True)
    found = network(drawn, 2)
    soft = FallbackNode("soft", "softmax", None, ("scores",), ("y",))
    read = replace(
        found,
        nodes=(*found.nodes, soft),
        outputs=(*found.outputs, "y"),
        tensors={**found.tensors, "y": replace(found.tensors["scores"], name="y")},
    )
    ordered = [node.label for node in branches_first(read).nodes]
    assert ordered == ["a", "scores_0", "b", "scores_1", "soft"]


def test_a_pace_that_makes_no_whole_rows_is_refused() -> None:
    stages = (
        Stage("expand", StageKind.EXPAND, ("input_0",), Shape(8, 8, 2)),
        Stage("halved", StageKind.DEPTHWISE, ("expand",), Shape(4, 4, 2), Window(stride=(2, 2))),
        Stage("same", StageKind.POINTWISE, ("expand",), Shape(8, 8, 2)),
    )
    chain = Chain("test", (Shape(8, 8, 2),), stages, ("same", "halved"))
    with pytest.raises(ScheduleError, match="1 of same make no whole number of halved"):
        end_rates(chain, 1)
    assert end_rates(chain, 2) == {"halved": 1, "same": 2}
