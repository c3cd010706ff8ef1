"""Row plans: nothing twice, nothing lost, nothing read after it was overwritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mnv2c.errors import CompilerError, ScheduleError
from mnv2c.plan import interpreter
from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind, Window, with_loads
from mnv2c.plan.interpreter import interpret
from mnv2c.plan.rows import Flow, flow
from tests.kernels.reference import evaluate
from tests.plan.drawn import chains, divisors, tensors


def plan_of(chain: Chain, rows: int) -> Flow:
    """The plan; a chain whose branches move at different rates is only possible with the whole image in one step."""
    try:
        return flow(chain, rows)
    except ScheduleError as error:
        assume("different numbers" not in str(error))
        raise


def produced(chain: Chain, plan: Flow, name: str) -> Counter[int]:
    rows, height = plan.stages[name], chain.shape(name).rows
    found: Counter[int] = Counter()
    for step in range(plan.first_step, plan.last_step):
        start = rows.rate * step + rows.lead
        found.update(row for row in range(start, start + rows.rate) if 0 <= row < height)
    return found


@given(chains(), st.data())
@settings(max_examples=150)
def test_every_row_is_produced_once(chain: Chain, data: st.DataObject) -> None:
    plan = plan_of(chain, data.draw(st.sampled_from(divisors(chain.stages[-1].shape.rows))))
    for stage in chain.stages:
        counts = produced(chain, plan, stage.name)
        assert set(counts.values()) <= {1}
        assert set(counts) >= {row for row in range(stage.shape.rows) if needed(chain, stage.name, row)}


def needed(chain: Chain, name: str, row: int) -> bool:
    """Whether a row leaves the chain or is read: there may be rows between strides, or cut off, that nobody reads."""
    if name in chain.outputs:
        return True
    for reader in chain.consumers(name):
        window = reader.window if reader.sources[0] == name else Window()
        for result in range(reader.shape.rows):
            low, _ = window.rows_needed(result, result + 1)
            taps = range(low, low + window.reach + 1, window.dilation[0])
            if row in taps and needed(chain, reader.name, result):
                return True
    return False


@given(chains(), st.data())
@settings(max_examples=150)
def test_rings_hold_every_row_as_long_as_it_is_read(chain: Chain, data: st.DataObject) -> None:
    """The interpreter keeps no more rows than the rings do; it agrees with tensors held whole."""
    chain = data.draw(st.sampled_from((chain, with_loads(chain))))
    rows = data.draw(st.sampled_from(divisors(chain.stages[-1].shape.rows)))
    plan_of(chain, rows)
    inputs, weights = tensors(chain)
    wanted = evaluate(chain, inputs, weights)
    for name, found in zip(chain.outputs, interpret(chain, rows, inputs, weights), strict=True):
        np.testing.assert_allclose(found, wanted[name], rtol=1e-4, atol=1e-4)


@given(chains(), st.data())
@settings(max_examples=100)
def test_a_ring_is_no_longer_than_needed(chain: Chain, data: st.DataObject) -> None:
    rows = data.draw(st.sampled_from(divisors(chain.stages[-1].shape.rows)[1:]))
    plan = plan_of(chain, rows)
    for stage in chain.stages:
        entry = plan.stages[stage.name]
        readers = chain.consumers(stage.name)
        if not readers:
            assert entry.ring == 0
            continue
        # At a reader's pass the newest row is lead + rate / its passes - 1; the oldest one it sees is the ring's last.
        kept = max(
            entry.rate // plan.stages[reader.name].passes
            - (plan.stages[reader.name].lead * window.stride[0] - window.padding[0][0])
            for reader in readers
            for window in [reader.window if reader.sources[0] == stage.name else Window()]
        )
        assert entry.ring == entry.lead + kept


def bottleneck(rows: int, stride: int = 1) -> Chain:
    seen = Window((3, 3), (stride, stride), padding=((1, 1), (1, 1)))
    result = Shape(-(-rows // stride), -(-9 // stride), 4)
    stages = [
        Stage("expand", StageKind.EXPAND, ("input_0",), Shape(rows, 9, 8), activation=RELU6),
        Stage("depthwise", StageKind.DEPTHWISE, ("expand",), Shape(result.rows, result.columns, 8), seen, RELU6),
        Stage("project", StageKind.PROJECT, ("depthwise",), result),
    ]
    if stride == 1:
        stages.append(Stage("add", StageKind.ADD, ("project", "input_0"), result))
    return Chain("bottleneck", (Shape(rows, 9, 4),), tuple(stages), (stages[-1].name,))


def test_a_bottleneck_keeps_three_expanded_rows_and_one_depthwise_row() -> None:
    plan = flow(bottleneck(14), 1)
    assert (plan.stages["expand"].ring, plan.stages["depthwise"].ring) == (3, 1)
    assert (plan.first_step, plan.last_step) == (-2, 14)


def test_a_residual_may_be_overwritten_because_nothing_lags_behind() -> None:
    for rows in divisors(14):
        assert all(entry.lead >= 0 for entry in flow(bottleneck(14), rows).stages.values())


def test_stride_two_takes_two_rows_per_step() -> None:
    plan = flow(bottleneck(14, stride=2), 1)
    assert (plan.stages["expand"].rate, plan.stages["expand"].ring) == (2, 3)


def test_whole_image_keeps_all_rows_and_their_padding() -> None:
    plan = flow(bottleneck(7), 0)
    assert plan.whole
    assert (plan.stages["expand"].ring, plan.stages["expand"].top) == (9, 1)


def test_rows_that_do_not_divide_the_image_are_refused() -> None:
    with pytest.raises(ScheduleError, match="4 rows per step do not divide the 14 rows of add"):
        flow(bottleneck(14), 4)


def test_readers_at_different_rates_are_refused() -> None:
    stages = (
        Stage("first", StageKind.POINTWISE, ("input_0",), Shape(8, 8, 2)),
        Stage("halved", StageKind.DEPTHWISE, ("first",), Shape(4, 8, 2), Window(stride=(2, 1))),
        Stage("same", StageKind.DEPTHWISE, ("first",), Shape(8, 8, 2)),
    )
    chain = Chain("test", (Shape(8, 8, 2),), stages, ("same", "halved"))
    with pytest.raises(ScheduleError, match="readers of first take different numbers of its rows per step"):
        flow(chain, 1)
    assert flow(chain, 0).whole


def test_a_side_output_has_its_last_rows_even_if_no_window_sees_them() -> None:
    """3x3 with stride 2 and no padding sees 7 of 8 rows; the eighth is still asked for."""
    stages = (
        Stage("expand", StageKind.EXPAND, ("input_0",), Shape(8, 8, 2)),
        Stage("depthwise", StageKind.DEPTHWISE, ("expand",), Shape(3, 3, 2), Window((3, 3), (2, 2))),
    )
    chain = Chain("side", (Shape(8, 8, 2),), stages, ("depthwise", "expand"))
    assert sorted(produced(chain, flow(chain, 1), "expand")) == list(range(8))


def test_the_interpreter_notices_a_ring_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = bottleneck(6)

    def short(chain: Chain, rows: int, again: Collection[str]) -> Flow:
        plan = flow(chain, rows, again)
        expand = plan.stages["expand"]
        stages = {**plan.stages, "expand": replace(expand, ring=expand.ring - 1)}
        return Flow(plan.first_step, plan.last_step, stages, plan.whole)

    inputs, weights = tensors(chain)
    interpret(chain, 1, inputs, weights)
    monkeypatch.setattr(interpreter, "flow", short)
    with pytest.raises(CompilerError, match="of stage expand is not in its ring of 2 rows"):
        interpret(chain, 1, inputs, weights)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_keeps_the_pace_of_the_sum_that_is_folded_into_it(stride: int) -> None:
    """A strided reader takes two rows of the sum at once: so many must be there of what the convolution reads."""
    seen = Window((3, 3), (stride, stride), padding=((1, 1), (1, 1)))
    same = replace(seen, stride=(1, 1))
    shape, small = Shape(8, 8, 4), Shape(8 // stride, 8 // stride, 4)
    stages = (
        Stage("first", StageKind.POINTWISE, ("input_0",), shape),
        Stage("depthwise", StageKind.DEPTHWISE, ("first",), shape, same, RELU6),
        Stage("project", StageKind.PROJECT, ("depthwise",), shape),
        Stage("add", StageKind.ADD, ("project", "first"), shape),
        Stage("last", StageKind.DEPTHWISE, ("add",), small, seen),
    )
    plan = flow(with_loads(Chain("sum", (shape,), stages, ("last",))), 1)
    project, added, depthwise = (plan.stages[name] for name in ("project", "add", "depthwise"))
    assert (project.rows, project.passes, project.lead) == (added.rows, added.passes, added.lead)
    assert (added.rows, added.passes) == (stride, 1)
    assert depthwise.ring == stride
