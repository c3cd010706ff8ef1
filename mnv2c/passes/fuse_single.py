"""Give every convolution and global mean that no larger pattern took a chain of its own."""

from __future__ import annotations

from typing import Any

from mnv2c.passes.base import bindings
from mnv2c.passes.convolutions import convolutions
from mnv2c.passes.fuse_head import is_global_mean
from mnv2c.passes.outline import Group, outline


def fuse_single(module: Any) -> Any:
    """Outline single convolutions (kind ``convolution``) and global means (kind ``pool``)."""
    main = module["main"]
    groups = [Group("convolution", entry.variables) for entry in convolutions(main).values()]
    groups += [Group("pool", (binding.var,)) for binding in bindings(main) if is_global_mean(binding.value)]
    return outline(module, groups)
