"""One plan for several variants of a library: kernels for different CPUs that compute the same tensors in one arena.

All are cut alike and leave their results at the same places, so that steps, names and the size of the arena do not
depend on the CPU; how a chain runs does. One way to run it together is one option per variant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import inf
from typing import TYPE_CHECKING

from mnv2c.plan.arena import aligned
from mnv2c.planner.cuts import Option

if TYPE_CHECKING:
    from mnv2c.plan.network import Network

Options = Callable[[int, int], Sequence[Option]]


def together(network: Network, variants: Sequence[Options]) -> Options:
    """Return the options for all variants at once, which stand for one option of ``each`` variant.

    Its cycles are the sum of the variants' own, each as a share of what its nodes take one by one: a CPU that needs
    more cycles for everything has no greater say.
    """
    known = [cache(options) for options in variants]
    whole = [
        sum(
            min((option.cycles for option in options(index, index)), default=0.0) for index in range(len(network.nodes))
        )
        for options in known
    ]
    scales = [1 / cycles if cycles else 0.0 for cycles in whole]

    def options(first: int, last: int) -> list[Option]:
        each = [found(first, last) for found in known]
        return [
            option
            for in_place in (True, False)
            for option in _combined([[item for item in found if item.in_place == in_place] for found in each], scales)
        ]

    return options


def _combined(each: Sequence[Sequence[Option]], scales: Sequence[float]) -> list[Option]:
    """For every amount of scratch memory that matters, the fastest option of each variant within it."""
    found: list[Option] = []
    fastest = inf
    for limit in sorted({_scratch(option) for options in each for option in options}):
        fitting = [[option for option in options if _scratch(option) <= limit] for options in each]
        if not all(fitting):
            continue
        chosen = tuple(min(options, key=lambda option: (option.cycles, _scratch(option))) for options in fitting)
        cycles = sum(option.cycles * scale for option, scale in zip(chosen, scales, strict=True))
        if cycles < fastest:
            fastest = cycles
            found.append(Option(cycles, (max(map(_scratch, chosen)),), chosen[0].in_place, each=chosen))
    return found


def _scratch(option: Option) -> int:
    return sum(aligned(size) for size in option.scratch)
