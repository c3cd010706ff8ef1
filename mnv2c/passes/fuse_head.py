"""Fuse the last 1x1 convolution with the global average pooling after it, so that its result is never materialised."""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import bindings, is_call, is_float32, shape_of
from mnv2c.passes.convolutions import convolutions
from mnv2c.passes.outline import Group, outline


def fuse_head(module: Any) -> Any:
    """Outline every pointwise convolution read only by a global mean as a function of kind ``head``."""
    found = convolutions(module["main"])
    groups = []
    for binding in bindings(module["main"]):
        if not is_global_mean(binding.value):
            continue
        convolution = found.get(binding.value.args[0])
        if convolution is not None and convolution.is_pointwise and convolution.uses == 1:
            groups.append(Group("head", (*convolution.variables, binding.var)))
    return outline(module, groups)


def is_global_mean(value: Any) -> bool:
    """Whether ``value`` is the mean over rows and columns of an NHWC tensor."""
    if not is_call(value, "relax.mean") or not isinstance(value.args[0], relax.Var) or not is_float32(value.args[0]):
        return False
    if len(shape_of(value.args[0])) != 4 or shape_of(value.args[0])[0] != 1:
        return False
    return sorted(int(axis) % 4 for axis in value.attrs.axis or ()) == [1, 2]
