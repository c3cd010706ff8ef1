"""Fuse a 1x1 convolution, the convolution that it alone reads, and the sum it is added to: a branch of a pyramid.

Preconditions: channels last, `mnv2c.passes.split_concats`, bottlenecks are fused. The clamp after the last sum belongs
to it. What is added becomes the first input, so that the sum may be written over it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from mnv2c.passes.base import bindings, constant_value, is_call, shape_of
from mnv2c.passes.convolutions import Convolution, convolutions, use_counts
from mnv2c.passes.outline import Group, outline


def fuse_branch(module: Any) -> Any:
    """Outline every convolution that is added to something as a function of kind ``branch``."""
    main = module["main"]
    found, uses = convolutions(main), use_counts(main)
    groups: list[Group] = []
    taken: set[Any] = set()
    for last in found.values():
        group = _match(main, found, uses, last)
        if group is not None and not taken & set(group.variables):
            taken |= set(group.variables)
            groups.append(group)
    return outline(module, groups)


def _match(main: Any, found: dict[Any, Convolution], uses: Counter[Any], last: Convolution) -> Group | None:
    added = _sum_of(main, last) if last.is_pointwise and last.uses == 1 else None
    if added is None:
        return None
    binding, other = added
    if shape_of(binding.var) != shape_of(last.result):  # a pixel that is added to an image
        return None
    before = found.get(last.source)
    fits = before is not None and before.uses == 1 and not before.is_depthwise and before.result is not other
    first = before.variables if fits and before is not None else ()
    return Group("branch", (*first, *last.variables, *_clamped(main, uses, binding.var)), first=(other,))


def _sum_of(main: Any, last: Convolution) -> tuple[Any, Any] | None:
    """Return the binding that adds something else than a constant to ``last``, and what that is."""
    for binding in bindings(main):
        if is_call(binding.value, "relax.add") and last.result in list(binding.value.args):
            others = [value for value in binding.value.args if value is not last.result and not value == last.result]
            if len(others) == 1 and constant_value(others[0]) is None:
                return binding, others[0]
    return None


def _clamped(main: Any, uses: Counter[Any], variable: Any) -> list[Any]:
    """Return a variable and those of the scalar bounds that are applied to it alone."""
    found = [variable]
    for operator in ("relax.maximum", "relax.minimum"):
        for binding in bindings(main) if uses[found[-1]] == 1 else []:
            if is_call(binding.value, operator) and binding.value.args[0] == found[-1]:
                bound = constant_value(binding.value.args[1])
                if bound is not None and bound.size == 1:
                    found.append(binding.var)
    return found
