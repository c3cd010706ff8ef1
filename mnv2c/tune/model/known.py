"""What is already known before a search begins: records of this CPU, grouped into tasks with their trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mnv2c.dtypes import COMPUTED
from mnv2c.errors import ScheduleError
from mnv2c.kernels.microkernels import provider_for
from mnv2c.records.record import ChainRecord
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, restore
from mnv2c.targets import Target
from mnv2c.tune.space.task import Task


@dataclass(frozen=True)
class Known:
    """One task with the choices measured for it before, and the ratio of each to the default."""

    task: Task
    trials: tuple[tuple[Choice, float], ...]


def known(records: Iterable[ChainRecord], target: Target) -> list[Known]:
    """Group the valid records made for ``target``'s entry by chain; what is no longer legal is left out.

    Ratios are to the default of their time, which a record says; where none does it is the analytic one.
    """
    groups: dict[tuple[str, int], list[ChainRecord]] = {}
    for record in records:
        if record.target == target.entry and record.valid:
            groups.setdefault((record.chain_id, record.threads), []).append(record)
    found = (_group(entries, target) for entries in groups.values())
    return [entry for entry in found if entry is not None]


def _group(records: list[ChainRecord], target: Target) -> Known | None:
    first = records[0]
    try:
        chain = restore(first.chain)
        analytic = analytic_schedule(chain, provider_for(COMPUTED.name, target), target.l2_bytes)
    except ScheduleError:
        return None
    default = next((record.choice for record in reversed(records) if record.default), Choice(analytic))
    in_place = any(record.choice.in_place for record in records)
    task = Task(first.label, chain, target, default, first.threads, may_be_in_place=in_place)
    ratios = {record.choice: record.ratio for record in records if record.ratio is not None}  # the last one counts
    return Known(task, tuple(ratios.items()))


def of_task(groups: Iterable[Known], task: Task) -> tuple[list[Known], list[Known]]:
    """Split what is known into trials of ``task`` itself, under the same default, and all others."""
    own: list[Known] = []
    others: list[Known] = []
    wanted = chain_id(task.chain)
    for entry in groups:
        same = chain_id(entry.task.chain) == wanted and entry.task.threads == task.threads
        if same and entry.task.default == task.default:
            own.append(replace(entry, task=task))
        else:
            others.append(entry)
    return own, others
