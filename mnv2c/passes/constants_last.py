"""Put the constant operand of a commutative operator second, where every other pass looks for it."""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import constant_value, is_call, run_on_main

COMMUTATIVE = ("relax.add", "relax.multiply", "relax.maximum", "relax.minimum")


def constants_last(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _ConstantsLast)


@relax.expr_functor.mutator
class _ConstantsLast(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not any(is_call(call, operator) for operator in COMMUTATIVE):
            return call
        first, second = call.args
        if constant_value(first) is None or constant_value(second) is not None:
            return call
        return relax.Call(call.op, [second, first], call.attrs)
