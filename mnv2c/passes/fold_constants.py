"""Evaluate ranges, and transposes and reshapes of constants, in NumPy.

TVM's own FoldConstant compiles a kernel for every one of them, which takes seconds for a network's weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from mnv2c.passes.base import constant, constant_value, is_call, run_on_main, shape_of


def fold_constants(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _FoldConstants)


@relax.expr_functor.mutator
class _FoldConstants(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if is_call(call, "relax.arange"):
            return self._range(call)
        argument = self._resolve(call.args[0]) if call.args else None
        value = constant_value(argument) if argument is not None else None
        if value is None:
            return call
        if is_call(call, "relax.permute_dims"):
            axes = call.attrs.axes
            return constant(value.transpose([int(axis) for axis in axes] if axes else None))
        if is_call(call, "relax.reshape"):
            return constant(value.reshape(shape_of(self.builder_.normalize(call))))
        return call

    def _range(self, call: Any) -> Any:
        ends: list[Any] = [getattr(end, "value", None) for end in call.args]
        return call if None in ends else constant(np.arange(*ends, dtype=str(call.attrs.dtype)))

    def _resolve(self, expression: Any) -> Any:
        bound = self.lookup_binding(expression) if isinstance(expression, relax.Var) else None
        return bound if bound is not None else expression
