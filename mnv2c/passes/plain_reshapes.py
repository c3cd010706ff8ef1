"""Turn squeeze, expand_dims and flatten into reshape, the one operator that costs nothing.

Precondition: static shapes. A reshape to the shape its source has already disappears.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import is_call, run_on_main, shape_of

VIEWS = ("relax.squeeze", "relax.expand_dims", "relax.flatten", "relax.reshape")


def plain_reshapes(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _PlainReshapes)


@relax.expr_functor.mutator
class _PlainReshapes(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not any(is_call(call, operator) for operator in VIEWS):
            return call
        shape = shape_of(self.builder_.normalize(call))
        return call.args[0] if shape_of(call.args[0]) == shape else relax.op.reshape(call.args[0], list(shape))
