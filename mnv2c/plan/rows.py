"""Which rows each stage of a chain computes when, and how many of them its ring must keep.

A kernel runs in steps. In a step the last stage produces the next R rows. A stage before it runs some rows ahead
(``lead``) and, if there is a stride between, more often: in ``passes`` of ``rows`` rows each, nested so that every
reader runs as soon as the rows of its own next pass are there. Pass n of a stage produces rows
[advance·n + lead, advance·n + lead + rows). Over all steps no row is produced twice, and every row that is read or
leaves the chain once; only a stage of which nothing is kept (``again``) makes all rows of its reader's window anew. The
planner's memory figures, the reference interpreter and the emitted loops all come from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from mnv2c.errors import ScheduleError
from mnv2c.plan.chain import Chain, Stage, StageKind, Window
from mnv2c.plan.rates import end_rates


@dataclass(frozen=True)
class StageFlow:
    """Rows of one stage: ``passes`` of ``rows`` per step, ``lead`` ahead of the chain's last stage.

    ``ring`` rows are kept for its readers; ``top`` is the number of padding rows they expect above row 0. ``again``
    rows of a pass were already made in the one before.
    """

    rows: int
    passes: int
    lead: int
    ring: int
    top: int
    again: int = 0

    @property
    def advance(self) -> int:
        """New rows per pass."""
        return self.rows - self.again

    @property
    def rate(self) -> int:
        """New rows per step."""
        return self.advance * self.passes


@dataclass(frozen=True)
class Flow:
    """The step domain [first_step, last_step) and the rows of every stage, by name.

    ``whole`` means that one step computes the whole image, every ring holding all rows and their padding.
    """

    first_step: int
    last_step: int
    stages: dict[str, StageFlow]
    whole: bool


@dataclass(frozen=True)
class Nest:
    """A loop of ``trips`` over stages and further loops; one trip of a nest of ``passes`` is one pass of its stages."""

    trips: int
    passes: int
    body: tuple[str | Nest, ...]


def flow(chain: Chain, rows_per_step: int, again: Collection[str] = ()) -> Flow:
    """Plan the rows of ``chain`` for ``rows_per_step`` rows of its last stage; 0 means the whole image in one step.

    Of the stages named in ``again``, each read through one window, no rows are kept from pass to pass.
    Raises ScheduleError when the rows do not divide the image or the readers of a stage move at different rates.
    """
    if any(stage.kind is StageKind.RESIZE and not stage.sources[0].startswith("input_") for stage in chain.stages):
        raise ScheduleError("a resize reads a whole tensor, which only an input of the chain is")
    if rows_per_step == 0:
        return _whole_image(chain)
    last = chain.stages[-1]
    if last.shape.rows % rows_per_step:
        raise ScheduleError(f"{rows_per_step} rows per step do not divide the {last.shape.rows} rows of {last.name}")
    flows = _flows(chain, rows_per_step, again, nested=True)
    order = [flows[stage.name].passes for stage in chain.stages]
    if order != sorted(order, reverse=True):  # a side branch between: one loop cannot hold what it separates
        flows = _flows(chain, rows_per_step, again, nested=False)
    first = min((-entry.top - entry.lead) // entry.rate for entry in flows.values())
    # A side output may have rows below the last one that its readers see.
    steps = max(-(-(chain.shape(name).rows - flows[name].lead) // flows[name].rate) for name in chain.outputs)
    return Flow(first, steps, flows, whole=False)


def nest(names: Sequence[str], plan: Flow, trips: int = 1, passes: int = 1) -> Nest:
    """Arrange stages, in their order, into the loops of one step."""
    body: list[str | Nest] = []
    for deeper, group in groupby(names, lambda name: plan.stages[name].passes > passes):
        inner = tuple(group)
        if deeper:
            least = min(plan.stages[name].passes for name in inner)
            body.append(nest(inner, plan, least // passes, least))
        else:
            body.extend(inner)
    return Nest(trips, passes, tuple(body))


def _flows(chain: Chain, rows_per_step: int, again: Collection[str], nested: bool) -> dict[str, StageFlow]:
    flows: dict[str, StageFlow] = {}
    rates = end_rates(chain, rows_per_step)
    for stage in reversed(chain.stages):
        entry = _stage_flow(chain, stage, flows, rows_per_step, rates, nested)
        if stage.name in again:
            # Of its one reader's window all rows but the newest were there before.
            more = entry.ring - entry.rows
            entry = replace(entry, rows=entry.ring, lead=entry.lead - more, again=more)
        flows[stage.name] = entry
    return flows


def _stage_flow(
    chain: Chain,
    stage: Stage,
    flows: dict[str, StageFlow],
    rows_per_step: int,
    rates_of_ends: dict[str, int],
    nested: bool,
) -> StageFlow:
    readers = [(flows[reader.name], _window_on(reader, stage.name)) for reader in chain.consumers(stage.name)]
    if not readers:
        return StageFlow(rows=rates_of_ends[stage.name], passes=1, lead=0, ring=0, top=0)
    rates = {entry.rate * window.stride[0] for entry, window in readers}
    if len(rates) != 1:
        raise ScheduleError(f"readers of {stage.name} take different numbers of its rows per step: {sorted(rates)}")
    rate = rates.pop()
    # The last row the reader needs in pass n, relative to its first row's own place, and one more.
    lead = max(
        (entry.lead + entry.again - 1) * window.stride[0] - window.padding[0][0] + window.reach + 1
        for entry, window in readers
    )
    # When a reader runs, the stage has produced all rows of the reader's pass.
    ring = max(
        lead + rate // entry.passes - entry.lead * window.stride[0] + window.padding[0][0] for entry, window in readers
    )
    if nested and _is_added_alone(chain, stage):
        rows = readers[0][0].rows
    else:
        rows = _rows_per_pass(readers, rate, rows_per_step) if nested else rate
    return StageFlow(rows, rate // rows, lead, ring, max(window.padding[0][0] for _, window in readers))


def _is_added_alone(chain: Chain, stage: Stage) -> bool:
    """Whether an add alone reads ``stage``: kernels make both together, so they take as many rows in a pass.

    Else what is read by the stage would be kept for its own, shorter pass, where a strided reader of the sum makes the
    add's longer than a step's rows.
    """
    return [reader.kind for reader in chain.consumers(stage.name)] == [StageKind.ADD]


def _rows_per_pass(readers: Sequence[tuple[StageFlow, Window]], rate: int, rows_per_step: int) -> int:
    """Rows that a strided reader takes at once stay together; what is read row by row is made R rows at a time."""
    rows = min(rate // entry.passes for entry, _ in readers)
    if all(window.stride[0] == 1 for _, window in readers):
        return min(rows, rows_per_step)
    return rows


def _whole_image(chain: Chain) -> Flow:
    flows: dict[str, StageFlow] = {}
    for stage in chain.stages:
        windows = [_window_on(reader, stage.name) for reader in chain.consumers(stage.name)]
        top = max((window.padding[0][0] for window in windows), default=0)
        rows = stage.shape.rows
        bottom = 0
        for reader, window in zip(chain.consumers(stage.name), windows, strict=True):
            bottom = max(bottom, window.rows_needed(0, reader.shape.rows)[1] - rows)
        ring = top + rows + bottom if windows else 0
        flows[stage.name] = StageFlow(rows=rows, passes=1, lead=0, ring=ring, top=top)
    return Flow(0, 1, flows, whole=True)


def _window_on(reader: Stage, source: str) -> Window:
    """The window through which ``reader`` sees ``source``; second sources (a residual) are seen pixel by pixel."""
    return reader.window if reader.sources[0] == source else Window()
