"""Fuse inverted residual bottlenecks (paper, Table 1): expand, depthwise, project, and the shortcut's add.

Preconditions: NHWC, batch normalisation folded, ReLU6 as maximum and minimum. The t = 1 block has no expansion; it is
fused with the convolution that feeds it alone (the stem), so that its input is never materialised either. The
projection may carry ReLU6 (Figure 6a). A value inside a bottleneck that others read becomes a side output.
"""

from __future__ import annotations

from typing import Any

from mnv2c.passes.convolutions import Convolution, convolution_after, convolutions, shortcut_after
from mnv2c.passes.outline import Group, outline


def fuse_bottleneck(module: Any) -> Any:
    """Outline every bottleneck of ``main`` as a function of kind ``bottleneck``, or ``stem`` with the stem in it."""
    found = convolutions(module["main"])
    taken: set[Any] = set()
    groups: list[Group] = []
    for first in found.values():
        group = _match(module["main"], found, first)
        if group is not None and not taken & set(group.variables):
            taken |= set(group.variables)
            groups.append(group)
    return outline(module, groups)


def _match(main: Any, found: dict[Any, Convolution], first: Convolution) -> Group | None:
    """Match the bottleneck that begins with ``first``: an expansion, the stem, or its depthwise convolution."""
    depthwise = first if first.is_depthwise else convolution_after(found, first)
    if depthwise is None or not depthwise.is_depthwise:
        return None
    if not (first.is_depthwise or first.is_pointwise or first.uses == 1):
        return None
    project = convolution_after(found, depthwise)
    if project is None or not project.is_pointwise:
        return None
    parts = [depthwise, project] if first is depthwise else [first, depthwise, project]
    variables = [variable for part in parts for variable in part.variables]
    shortcut = shortcut_after(main, project, first.source)
    kind = "bottleneck" if first.is_depthwise or first.is_pointwise else "stem"
    return Group(kind, (*variables, *([] if shortcut is None else [shortcut])))
