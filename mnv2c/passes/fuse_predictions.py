"""Fuse what a detector predicts from one feature map: boxes and scores, from the same rows.

A prediction ends in a convolution that nobody reads but, reshaped, a concatenation over the prior boxes. SSDLite puts
a depthwise convolution before a pointwise one (paper, section 6.2); SSD has one regular convolution, and the last map
often a pointwise one. Runs before the bottlenecks, which must not take a feature map and a head for one of theirs.
Preconditions: as for `fuse_bottleneck`.
"""

from __future__ import annotations

from typing import Any

from mnv2c.passes.base import bindings
from mnv2c.passes.concatenations import plain_concatenations
from mnv2c.passes.convolutions import Convolution, convolutions
from mnv2c.passes.outline import Group, outline


def fuse_predictions(module: Any) -> Any:
    """Outline all predictions from one feature map as a function of kind ``prediction``."""
    main = module["main"]
    found = convolutions(main)
    ends = [history[-1] for histories in plain_concatenations(main).values() for history in histories]
    maps: dict[Any, list[Any]] = {}
    for last in (found[variable] for variable in ends if variable in found):
        parts = _parts(found, last)
        maps.setdefault(parts[0].source, []).extend(variable for part in parts for variable in part.variables)
    order = {binding.var: index for index, binding in enumerate(bindings(main))}
    groups = [Group("prediction", tuple(sorted(members, key=order.__getitem__))) for members in maps.values()]
    return outline(module, groups)


def _parts(found: dict[Any, Convolution], last: Convolution) -> list[Convolution]:
    """The convolutions of one prediction: a depthwise one that only ``last`` reads belongs to it."""
    before = found.get(last.source)
    alone = before is not None and before.is_depthwise and before.uses == 1 and last.is_pointwise
    return [before, last] if alone and before is not None else [last]
