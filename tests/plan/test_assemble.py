"""From a network and its kernels to a program: who may write in place, what lies where."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mnv2c.plan.arena import ALIGNMENT
from mnv2c.plan.assemble import NodeKernel, assemble, runs_in_place
from mnv2c.plan.chain import Chain, Shape, Stage, StageKind
from mnv2c.plan.network import Array, ChainNode, FallbackNode, Network, Tensor
from mnv2c.plan.program import Location, Program, Space

IMAGE = Shape(4, 4, 8)
BYTES = 4 * 4 * 8 * 4
EXPAND = Stage("expand", StageKind.EXPAND, ("input_0",), IMAGE)
PROJECT = Stage("project", StageKind.PROJECT, ("expand",), IMAGE)
ADD = Stage("add", StageKind.ADD, ("project", "input_0"), IMAGE)
RESIDUAL = Chain("bottleneck", (IMAGE,), (EXPAND, PROJECT, ADD), ("add",))
PLAIN = Chain("bottleneck", (IMAGE,), (EXPAND, PROJECT), ("project",))
SIDE = Chain("bottleneck", (IMAGE,), (EXPAND, PROJECT, ADD), ("add", "expand"))


def node(chain: Chain, source: str, *results: str) -> ChainNode:
    return ChainNode(results[0], chain, {}, (source,), results)


def network(nodes: Sequence[ChainNode | FallbackNode], outputs: tuple[str, ...] = ("y",)) -> Network:
    names = {"x": None, **{name: None for entry in nodes for name in entry.outputs}}
    tensors = {
        name: Tensor(name, (1, 4, 4, 8), "float32", f"onnx/{name}", "same" if name in outputs else "NCHW")
        for name in names
    }
    return Network(tensors, tuple(nodes), ("x",), outputs)


def kernel(*scratch: int, weights: tuple[Array, ...] = (), in_place: bool = False) -> NodeKernel:
    return NodeKernel("k", weights, scratch, in_place)


LINE = [node(PLAIN, "x", "a"), node(RESIDUAL, "a", "b"), node(PLAIN, "b", "y")]


def test_a_residual_inside_the_network_runs_in_place() -> None:
    chain = runs_in_place(network(LINE), 1)
    assert chain is not None
    assert chain.in_place


def test_a_chain_without_shortcut_does_not() -> None:
    assert runs_in_place(network(LINE), 0) is None


def test_a_fallback_does_not() -> None:
    fallback = FallbackNode("f", "relu", None, ("x",), ("y",))
    assert runs_in_place(network([fallback]), 0) is None


def test_the_callers_own_buffers_are_not_overwritten() -> None:
    assert runs_in_place(network([node(RESIDUAL, "x", "a"), node(PLAIN, "a", "y")]), 0) is None
    assert runs_in_place(network([node(PLAIN, "x", "a"), node(RESIDUAL, "a", "y")]), 1) is None
    assert runs_in_place(network(LINE, ("y", "a")), 1) is None


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    again = [*LINE[:2], node(PLAIN, "a", "c"), LINE[2]]
    assert runs_in_place(network(again), 1) is None


def test_a_sum_of_something_else_is_not_in_place() -> None:
    other = Chain("b", (IMAGE,), (EXPAND, PROJECT, Stage("add", StageKind.ADD, ("project", "expand"), IMAGE)), ("add",))
    assert runs_in_place(network([LINE[0], node(other, "a", "b"), LINE[2]]), 1) is None


def test_in_place_results_lie_on_their_input() -> None:
    fresh = assemble(network(LINE), [kernel(), kernel(), kernel()])
    shared = assemble(network(LINE), [kernel(), kernel(in_place=True), kernel()])
    assert (fresh.arena_bytes, shared.arena_bytes) == (2 * BYTES, BYTES)
    first, second, third = (step.arguments for step in shared.steps)
    assert second == (first[1],) == third[:1]
    assert shared.steps[1].results[0].location == first[1]


def test_in_place_keeps_the_side_outputs_as_arguments() -> None:
    nodes = [LINE[0], node(SIDE, "a", "b", "side"), node(PLAIN, "b", "y"), node(PLAIN, "side", "z")]
    program = assemble(network(nodes, ("y", "z")), [kernel(), kernel(64, in_place=True), kernel(), kernel()])
    step = program.steps[1]
    assert len(step.arguments) == 3  # the input and first result, the side output, scratch
    assert [result.location for result in step.results] == [step.arguments[0], step.arguments[1]]


def test_arguments_are_inputs_outputs_weights_scratch() -> None:
    program = assemble(network(LINE), [kernel(100, 200, weights=(np.ones(5, np.float32),)), kernel(), kernel()])
    source, result, weights, *scratch = program.steps[0].arguments
    assert source == Location(Space.INPUT)
    assert (result.space, weights, len(scratch)) == (Space.ARENA, Location(Space.WEIGHTS), 2)
    assert program.steps[2].arguments[1] == Location(Space.OUTPUT)


def test_equal_weights_are_stored_once_and_every_location_is_aligned() -> None:
    one, two = np.arange(5, dtype=np.float32), np.arange(7, dtype=np.float32)
    kernels = [kernel(weights=(one, two)), kernel(weights=(two,)), kernel(30, weights=(one.copy(),))]
    program = assemble(network(LINE), kernels)
    offsets = [
        argument.offset for step in program.steps for argument in step.arguments if argument.space is Space.WEIGHTS
    ]
    assert offsets == [0, ALIGNMENT, ALIGNMENT, 0]
    assert len(program.weights) == 2 * ALIGNMENT
    assert program.weights[: one.nbytes] == one.tobytes()
    assert program.weights[ALIGNMENT : ALIGNMENT + two.nbytes] == two.tobytes()
    assert all(argument.offset % ALIGNMENT == 0 for step in program.steps for argument in step.arguments)


def test_constants_of_a_fallback_lie_in_the_weights() -> None:
    constant = np.arange(3, dtype=np.int64)
    fallback = FallbackNode("f", "take", None, ("x", constant), ("y",))
    program = assemble(network([fallback]), [kernel()])
    assert [argument.space for argument in program.steps[0].arguments] == [Space.INPUT, Space.WEIGHTS, Space.OUTPUT]
    assert program.weights[:24] == constant.tobytes()


def spans(program: Program, step: int) -> list[tuple[int, int]]:
    sizes = {0: BYTES, 1: BYTES, 2: 640}
    arguments = program.steps[step].arguments
    return sorted((a.offset, a.offset + sizes[i]) for i, a in enumerate(arguments) if a.space is Space.ARENA)


def test_tensors_and_scratch_of_a_step_never_overlap() -> None:
    program = assemble(network(LINE), [kernel(640), kernel(640), kernel(640)])
    for step in range(3):
        parts = spans(program, step)
        assert all(before[1] <= after[0] for before, after in pairwise(parts))
        assert parts[-1][1] <= program.arena_bytes


def test_results_name_the_onnx_tensor_and_its_layout() -> None:
    program = assemble(network(LINE), [kernel(), kernel(), kernel()])
    assert [(r.onnx_name, r.onnx_layout) for step in program.steps for r in step.results] == [
        ("onnx/a", "NCHW"),
        ("onnx/b", "NCHW"),
        ("onnx/y", "same"),
    ]
    assert [port.name for port in (*program.inputs, *program.outputs)] == ["x", "y"]


def test_an_unread_result_still_has_a_place() -> None:
    unread = [node(SIDE, "x", "b", "side"), node(PLAIN, "b", "y")]
    program = assemble(network(unread), [kernel(), kernel()])
    assert program.arena_bytes == 2 * BYTES


def test_buffers_tell_what_lies_where_and_how_long() -> None:
    named = NodeKernel("k", (), (64, 128), scratch_names=("expand", "depthwise"))
    program = assemble(network(LINE), [named, kernel(640, in_place=True), kernel()])
    found = {entry.name: entry for entry in program.buffers}
    assert found.keys() == {"a", "a: expand", "a: depthwise", "b: scratch 0"}
    assert (found["a"].first, found["a"].last, found["a"].tensors) == (0, 2, ("a", "b"))
    assert (found["b: scratch 0"].first, found["b: scratch 0"].last, found["b: scratch 0"].tensors) == (1, 1, ())
    assert (
        found["a"].offset == program.steps[0].results[0].location.offset == program.steps[1].results[0].location.offset
    )
    assert [entry.offset for entry in (found["a: expand"], found["a: depthwise"])] == [
        argument.offset for argument in program.steps[0].arguments[2:]
    ]
    assert max(entry.offset + entry.bytes for entry in program.buffers) <= program.arena_bytes


def test_an_unread_result_is_in_use_while_it_is_written() -> None:
    unread = [node(SIDE, "x", "b", "side"), node(PLAIN, "b", "y")]
    (side,) = (entry for entry in assemble(network(unread), [kernel(), kernel()]).buffers if entry.name == "side")
    assert (side.first, side.last, side.bytes) == (0, 0, BYTES)


def test_steps_tell_what_they_read() -> None:
    one, two = np.ones(5, np.float32), np.ones(7, np.float32)
    constant = np.arange(3, dtype=np.int64)
    both = FallbackNode("f", "add", None, ("a", "a", constant), ("y",))
    program = assemble(network([LINE[0], both]), [kernel(weights=(one, two, one.copy())), kernel()])
    assert [step.reads for step in program.steps] == [("x",), ("a",)]
    assert [step.weights_bytes for step in program.steps] == [48, 24]
    assert [result.name for step in program.steps for result in step.results] == ["a", "y"]
