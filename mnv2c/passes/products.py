"""Multiply-adds of a function of TVM's operator library: what its sums of products take."""

from __future__ import annotations

from math import prod
from typing import Any

import tvm
from tvm import tirx


def multiply_adds(function: Any) -> int:
    """Return how often ``sum = sum + a · b`` is computed: convolutions, matrix products, sums of squares.

    Products with zeros of a padding count, as they do in chains; products with one constant, comparisons and sums alone
    do not, and neither does what is no sum, such as a resize or an activation.
    """
    from tvm_ffi import structural_walk

    blocks: list[Any] = []
    structural_walk(function.body, (tvm.s_tir.SBlock, blocks.append))
    return sum(_iterations(block) for block in blocks if block.init is not None and _sums_products(block.body))


def _iterations(block: Any) -> int:
    return prod(int(variable.dom.extent) for variable in block.iter_vars)


def _sums_products(statement: Any) -> bool:
    """Whether a statement is ``sum = sum + a · b`` of two values that are read or computed."""
    value = statement.value if isinstance(statement, tirx.BufferStore) else None
    if not isinstance(value, tirx.Add):
        return False
    return any(
        isinstance(term, tirx.Mul) and not any(isinstance(_inner(factor), tirx.FloatImm) for factor in (term.a, term.b))
        for term in map(_inner, (value.a, value.b))
    )


def _inner(expression: Any) -> Any:
    while isinstance(expression, tirx.Cast):
        expression = expression.value
    return expression
