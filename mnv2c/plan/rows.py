"""Which rows each stage of a chain computes in which step, and how many of them its ring must keep.

A kernel runs in steps. In step t the last stage produces rows [R·t, R·t + R); a stage before it runs ``lead`` rows
ahead, so that in step t it produces rows [rate·t + lead, rate·t + lead + rate). Over all steps no row is produced
twice, and every row that is read or leaves the chain once. The planner's memory figures, the reference interpreter and
the emitted loops all come from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.errors import ScheduleError
from mnv2c.plan.chain import Chain, Stage, Window


@dataclass(frozen=True)
class StageFlow:
    """Rows of one stage: ``rate`` per step, ``lead`` ahead of the chain's last stage, ``ring`` rows kept for readers.

    ``top`` is the number of padding rows its readers expect above row 0.
    """

    rate: int
    lead: int
    ring: int
    top: int


@dataclass(frozen=True)
class Flow:
    """The step domain [first_step, last_step) and the rows of every stage, by name.

    ``whole`` means that one step computes the whole image, every ring holding all rows and their padding.
    """

    first_step: int
    last_step: int
    stages: dict[str, StageFlow]
    whole: bool


def flow(chain: Chain, rows_per_step: int) -> Flow:
    """Plan the rows of ``chain`` for ``rows_per_step`` rows of its last stage; 0 means the whole image in one step.

    Raises ScheduleError when the rows do not divide the image or the readers of a stage move at different rates.
    """
    if rows_per_step == 0:
        return _whole_image(chain)
    last = chain.stages[-1]
    if last.shape.rows % rows_per_step:
        raise ScheduleError(f"{rows_per_step} rows per step do not divide the {last.shape.rows} rows of {last.name}")
    flows: dict[str, StageFlow] = {}
    for stage in reversed(chain.stages):
        flows[stage.name] = _stage_flow(chain, stage, flows, rows_per_step)
    first = min((-entry.top - entry.lead) // entry.rate for entry in flows.values())
    # A side output may have rows below the last one that its readers see.
    steps = max(-(-(chain.shape(name).rows - flows[name].lead) // flows[name].rate) for name in chain.outputs)
    return Flow(first, steps, flows, whole=False)


def _stage_flow(chain: Chain, stage: Stage, flows: dict[str, StageFlow], rows_per_step: int) -> StageFlow:
    readers = [(flows[reader.name], _window_on(reader, stage.name)) for reader in chain.consumers(stage.name)]
    if not readers:
        return StageFlow(rate=rows_per_step, lead=0, ring=0, top=0)
    rates = {entry.rate * window.stride[0] for entry, window in readers}
    if len(rates) != 1:
        raise ScheduleError(f"readers of {stage.name} take different numbers of its rows per step: {sorted(rates)}")
    rate = rates.pop()
    # The last row the reader needs in step t, relative to rate·t, and one more.
    lead = max(
        entry.lead * window.stride[0] - window.stride[0] - window.padding[0][0] + window.reach + 1
        for entry, window in readers
    )
    ring = max(lead + rate - entry.lead * window.stride[0] + window.padding[0][0] for entry, window in readers)
    return StageFlow(rate, lead, ring, max(window.padding[0][0] for _, window in readers))


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
        flows[stage.name] = StageFlow(rate=rows, lead=0, ring=ring, top=top)
    return Flow(0, 1, flows, whole=True)


def _window_on(reader: Stage, source: str) -> Window:
    """The window through which ``reader`` sees ``source``; second sources (a residual) are seen pixel by pixel."""
    return reader.window if reader.sources[0] == source else Window()
