"""Lower with TVM's own operators what no chain covers; each becomes a ``call_tir`` that is reported as a fallback.

Reshapes stay: they move no data and cost nothing.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax

from mnv2c.passes.base import is_call, run_on_main
from mnv2c.passes.resample import bilinear


def lower_fallbacks(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _LowerFallbacks)


@relax.expr_functor.mutator
class _LowerFallbacks(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not isinstance(call.op, tvm.ir.Op) or call.op.name in ("relax.call_tir", "relax.reshape"):
            return call
        if is_call(call, "relax.image.resize2d"):
            return bilinear(self.builder_, call)
        legalize = call.op.get_attr("FLegalize")
        return call if legalize is None else legalize(self.builder_, call)
