"""Which planes of a kernel share scratch memory: those that are never needed at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnv2c.kernels.carried import Carried
from mnv2c.kernels.planes import Layout
from mnv2c.kernels.units import Unit
from mnv2c.plan.rows import Flow


@dataclass(frozen=True)
class Region:
    """A parameter of the kernel: scratch memory in which the named planes take turns."""

    name: str
    planes: tuple[str, ...]


def ring_regions(
    units: Sequence[Unit],
    plan: Flow,
    rings: Mapping[str, Layout],
    sums: Mapping[str, Layout],
    carried: Mapping[str, Carried],
) -> tuple[Region, ...]:
    """Return the regions of rings and sums.

    The newest rows that a carried stage reads live while one chunk is made, so those of all carried stages take
    turns. Results of carried stages take turns where their lifetimes, in units of a pass, do not meet.
    """
    newest = tuple(name for name in rings if name in {entry.source for entry in carried.values()})
    lives = _lifetimes(units, plan, rings, carried)
    results = _without_meeting([name for name in rings if name in lives], lives)
    regions = [Region(f"sums_{name}", (f"sums_{name}",)) for name in sums]
    regions += [Region(f"ring_{name}", (name,)) for name in rings if name not in newest and name not in lives]
    regions += [Region("newest", newest)] if newest else []
    regions += [Region(f"results_{index}" if index else "results", planes) for index, planes in enumerate(results)]
    return tuple(regions)


def _lifetimes(
    units: Sequence[Unit], plan: Flow, rings: Mapping[str, Layout], carried: Mapping[str, Carried]
) -> dict[str, tuple[int, int]]:
    """Return the first and the last place, in the order of a pass, at which each result of a carried stage is needed.

    Results that are kept from one pass to the next are left out: they need memory of their own.
    A carried stage runs with the one it reads, chunk by chunk. While the first chunk of its result is written, the
    stage it reads still needs its own source for the next chunk; so depthwise, 1x1, depthwise without an expansion
    between has two results at a time.
    """
    places = {unit.result: place for place, unit in enumerate(units)}
    places |= {name: places[entry.source] for name, entry in carried.items()}
    readers: dict[str, int] = {}
    for unit in units:
        for source in (unit.stage.sources[0], unit.residual):
            if source is not None:
                readers[source] = max(readers.get(source, 0), places[unit.result])
    transient = [name for name in carried if name in rings and plan.stages[name].ring == plan.stages[name].rows]
    return {name: (places[name], readers[name]) for name in transient}


def _without_meeting(names: Sequence[str], lives: Mapping[str, tuple[int, int]]) -> list[tuple[str, ...]]:
    """Cut ``names`` into groups whose lifetimes do not meet: each goes to the first group that it fits."""
    groups: list[tuple[str, ...]] = []
    for name in names:
        begin, end = lives[name]
        for index, group in enumerate(groups):
            if all(end < lives[other][0] or lives[other][1] < begin for other in group):
                groups[index] = (*group, name)
                break
        else:
            groups.append((name,))
    return groups
