"""How many rows per step each end of a chain computes: a chain may leave results of several resolutions.

What an end reads, others read too, at the pace that their strides ask for; from the last stage's pace follows
everybody's. A head on the input of a block with stride 2 computes two rows while the block computes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from mnv2c.errors import ScheduleError
from mnv2c.plan.chain import Chain


def end_rates(chain: Chain, rows_per_step: int) -> dict[str, int]:
    """Return the rows per step of every stage that no other one reads, ``rows_per_step`` for the last stage.

    Raises ScheduleError where that would not be whole rows.
    """
    ends = [stage for stage in chain.stages if not chain.consumers(stage.name)]
    last = chain.stages[-1]
    if len(ends) == 1:
        return {last.name: rows_per_step}
    rates = _rates(chain, rows_per_step)
    for stage in ends:  # what shares nothing with the last stage need only be done in as many steps
        rates.setdefault(stage.name, Fraction(-(-stage.shape.rows * rows_per_step // last.shape.rows)))
    uneven = next((stage for stage in ends if rates[stage.name].denominator != 1), None)
    if uneven is not None:
        raise ScheduleError(
            f"readers of {uneven.sources[0]} take different numbers of its rows per step: {rows_per_step} of "
            f"{last.name} make no whole number of {uneven.name}"
        )
    return {stage.name: int(rates[stage.name]) for stage in ends}


def _rates(chain: Chain, rows_per_step: int) -> dict[str, Fraction]:
    """Rows per step of every stage, and of the inputs, that is connected with the last stage."""
    rates = {chain.stages[-1].name: Fraction(rows_per_step)}
    links = list(_links(chain))
    found = True
    while found:
        before = len(rates)
        for reader, source, stride in links:
            if reader in rates:
                rates.setdefault(source, rates[reader] * stride)
            elif source in rates:
                rates[reader] = rates[source] / stride
        found = len(rates) > before
    return rates


def _links(chain: Chain) -> Iterator[tuple[str, str, int]]:
    """Every stage with each of its sources, and the rows of that it moves on by per row."""
    for stage in reversed(chain.stages):
        for index, source in enumerate(stage.sources):
            yield stage.name, source, stage.window.stride[0] if index == 0 else 1
