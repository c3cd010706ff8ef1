"""The plan that a compile takes: what was measured goes before what is predicted, unless memory is limited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mnv2c.planner.choose import choose, smallest_fast
from mnv2c.planner.cuts import Cuts, Option, Planner
from mnv2c.planner.prepare import Prepared, common_planner
from mnv2c.planner.together import Options, together
from mnv2c.records.best import warn_user


def plan(prepared: Sequence[Prepared], limit: int | None, threads: int = 1) -> Cuts:
    """Return the plan of a library for the targets that were prepared; PlanError where nothing fits ``limit`` bytes.

    Without a limit a chain runs as its record says, if it has one, be it by default, and the network is cut as its
    record says; for the rest it is the smallest plan that is predicted to be as fast as the fastest. With a limit
    measured ways are some among all.
    """
    plans = common_planner(prepared)
    if limit is not None or not any(entry.best for entry in prepared):
        return choose(plans, limit, threads)
    measured = _measured(plans, [entry.planner.options for entry in prepared])
    starts = {entry.starts for entry in prepared}
    if len(starts) > 1:
        return smallest_fast(measured.frontier())
    found = replace(measured, starts=starts.pop()).frontier()
    if not found:
        warn_user("the recorded cuts of this network are not possible (any more) and are not used; tune it again")
    return smallest_fast(found or measured.frontier())


def _measured(plans: Planner, variants: Sequence[Options]) -> Planner:
    """The planner ``plans`` of these variants without predicted ways where there are measured ones."""
    only = [_only_measured(options) for options in variants]
    if len(only) == 1:
        return replace(plans, options=only[0])
    common = together(plans.network, only)
    # Variants whose records disagree on running in place have only predicted ways in common.
    return replace(plans, options=lambda first, last: common(first, last) or plans.options(first, last))


def _only_measured(options: Options) -> Options:
    def found(first: int, last: int) -> Sequence[Option]:
        ways = options(first, last)
        return [way for way in ways if way.measured] or ways

    return found
