"""Fuse the classifier: a vector times a constant matrix, plus a constant bias."""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import bindings, constant_value, is_call, is_float32, shape_of
from mnv2c.passes.convolutions import use_counts
from mnv2c.passes.outline import Group, outline


def fuse_dense(module: Any) -> Any:
    """Outline every matmul of one row with a constant, and its bias, as a function of kind ``dense``."""
    main = module["main"]
    uses, values = use_counts(main), relax.analysis.get_var2val(main)
    groups = []
    for binding in bindings(main):
        product = values.get(binding.value.args[0]) if is_call(binding.value, "relax.add") else None
        if product is None or not is_call(product, "relax.matmul") or uses[binding.value.args[0]] != 1:
            continue
        left, right = product.args
        one_row = (
            isinstance(left, relax.Var)
            and len(shape_of(left)) == len(shape_of(right)) == 2
            and shape_of(left)[0] == 1
            and is_float32(left)
        )
        bias = constant_value(binding.value.args[1])
        if one_row and constant_value(right) is not None and bias is not None and bias.size == shape_of(right)[-1]:
            groups.append(Group("dense", (binding.value.args[0], binding.var)))
    return outline(module, groups)
