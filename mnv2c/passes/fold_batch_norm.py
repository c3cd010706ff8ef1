"""Fold inference-time batch normalisation into the convolution before it.

Before: ``batch_norm(conv2d(x, W), gamma, beta, mean, variance)[0]``, all parameters constant, W in OIHW.
After: ``conv2d(x, W · s) + (beta - mean · s)`` with ``s = gamma / sqrt(variance + epsilon)`` per output channel,
computed in float64 and rounded once. Runs before the layout is changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_const, is_op, is_tuple_get_item, wildcard

from mnv2c.passes.base import constant, constant_value, run_on_main

PARAMETERS = ("gamma", "beta", "mean", "variance")


def fold_batch_norm(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _FoldBatchNorm)


def _pattern() -> tuple[Any, dict[str, Any]]:
    parts = {name: is_const() for name in ("weight", *PARAMETERS)}
    parts["convolution"] = is_op("relax.nn.conv2d")(wildcard(), parts["weight"])
    parts["normalised"] = is_op("relax.nn.batch_norm")(parts["convolution"], *(parts[name] for name in PARAMETERS))
    return is_tuple_get_item(parts["normalised"], 0), parts


@relax.expr_functor.mutator
class _FoldBatchNorm(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.values = relax.analysis.get_var2val(module["main"])
        self.pattern, self.parts = _pattern()

    def visit_tuple_getitem_(self, item: Any) -> Any:
        found = self.pattern.extract_matched_expr(item, self.values)
        if not found:
            return super().visit_tuple_getitem_(item)
        part = {name: found[pattern] for name, pattern in self.parts.items()}
        convolution = self.values.get(part["convolution"], part["convolution"])
        normalised = self.values.get(part["normalised"], part["normalised"])
        weight, gamma, beta, mean, variance = (
            np.asarray(constant_value(part[name]), np.float64) for name in ("weight", *PARAMETERS)
        )
        scale = gamma / np.sqrt(variance + normalised.attrs.epsilon)
        folded = constant((weight * scale[:, None, None, None]).astype(np.float32))
        bias = constant((beta - mean * scale).astype(np.float32).reshape(1, -1, 1, 1))
        source = self.visit_expr(convolution.args[0])
        product = self.builder_.emit(relax.Call(convolution.op, [source, folded], convolution.attrs))
        # Normalised, so that the variable of the batch normalisation, and its name, now holds the sum.
        return self.builder_.normalize(relax.op.add(product, bias))
