"""Fold inference-time batch normalisation into the convolution before it.

Before: ``batch_norm(conv2d(x, W), gamma, beta, mean, variance)[0]``, all parameters constant, W in OIHW.
After: ``conv2d(x, W · s) + (beta - mean · s)`` with ``s = gamma / sqrt(variance + epsilon)`` per output channel,
computed in float64 and rounded once. A convolution that has a bias b already gets ``beta + (b - mean) · s``. Runs
before the layout is changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_const, is_op, is_tuple_get_item, wildcard

from mnv2c.errors import OnnxError
from mnv2c.passes.base import Array, constant, constant_value, run_on_main, shape_of

PARAMETERS = ("gamma", "beta", "mean", "variance")


def fold_batch_norm(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _FoldBatchNorm)


def _pattern(biased: bool) -> dict[str, Any]:
    parts = {name: is_const() for name in ("weight", *PARAMETERS)}
    last = parts["convolution"] = is_op("relax.nn.conv2d")(wildcard(), parts["weight"])
    if biased:
        parts["bias"] = is_const()
        last = parts["sum"] = is_op("relax.add")(parts["convolution"], parts["bias"])
    parts["normalised"] = is_op("relax.nn.batch_norm")(last, *(parts[name] for name in PARAMETERS))
    parts["result"] = is_tuple_get_item(parts["normalised"], 0)
    return parts


@relax.expr_functor.mutator
class _FoldBatchNorm(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.values = relax.analysis.get_var2val(module["main"])
        self.patterns = [_pattern(biased=True), _pattern(biased=False)]

    def visit_tuple_getitem_(self, item: Any) -> Any:
        for parts in self.patterns:
            found = parts["result"].extract_matched_expr(item, self.values)
            if found:
                part = {name: found[pattern] for name, pattern in parts.items()}
                bias = constant_value(part["bias"]) if "bias" in part else np.zeros(1)
                channels = shape_of(part["weight"])[0]
                if bias is not None and (bias.size == 1 or _is_per_channel(bias.shape, channels)):
                    return self._folded(part, bias.reshape(-1))
        return super().visit_tuple_getitem_(item)

    def _folded(self, part: dict[str, Any], bias: Array) -> Any:
        convolution = self.values.get(part["convolution"], part["convolution"])
        normalised = self.values.get(part["normalised"], part["normalised"])
        weight, gamma, beta, mean, variance = (
            np.asarray(constant_value(part[name]), np.float64) for name in ("weight", *PARAMETERS)
        )
        if not np.all(variance + normalised.attrs.epsilon > 0):
            raise OnnxError("a BatchNormalization has a negative variance; check the weights")
        scale = gamma / np.sqrt(variance + normalised.attrs.epsilon)
        folded = constant((weight * scale[:, None, None, None]).astype(np.float32))
        shift = constant((beta + (bias - mean) * scale).astype(np.float32).reshape(1, -1, 1, 1))
        source = self.visit_expr(convolution.args[0])
        product = self.builder_.emit(relax.Call(convolution.op, [source, folded], convolution.attrs))
        # Normalised, so that the variable of the batch normalisation, and its name, now holds the sum.
        return self.builder_.normalize(relax.op.add(product, shift))


def _is_per_channel(shape: tuple[int, ...], channels: int) -> bool:
    """Whether a constant of that shape adds one value per channel to an NCHW image."""
    return shape in ((1, channels, 1, 1), (channels, 1, 1))
