"""Give every convolution, and every product of a vector with a matrix, a bias: zeros where the file has none.

So the passes after this one know one form only. Runs before the layout is changed (NCHW, OIHW). The sum takes over the
name of the product, and with it the ONNX tensor that it equals.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from tvm import relax

from mnv2c.passes.base import bindings, constant, constant_value, is_call, is_float32, run_on_main, shape_of
from mnv2c.passes.convolutions import use_counts


def add_biases(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _AddBiases)


@relax.expr_functor.mutator
class _AddBiases(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.biased = _biased(module["main"])

    def visit_call_(self, call: Any) -> Any:
        zeros = _zeros(call) if call not in self.biased else None
        visited = self.visit_expr_post_order(call)
        if zeros is None:
            return visited
        # Normalised, so that the variable of the product, and its name, now holds the sum.
        return self.builder_.normalize(relax.op.add(self.builder_.emit(visited), constant(zeros)))


def _zeros(value: Any) -> Any | None:
    """Return a bias of zeros for a product that may have one, else None."""
    if not (is_call(value, "relax.nn.conv2d") or is_call(value, "relax.matmul")) or not is_float32(value):
        return None
    if constant_value(value.args[1]) is None:
        return None
    if is_call(value, "relax.nn.conv2d"):
        return np.zeros((1, shape_of(value.args[1])[0], 1, 1), np.float32)
    one_row = len(shape_of(value.args[0])) == len(shape_of(value.args[1])) == 2 and shape_of(value.args[0])[0] == 1
    return np.zeros(shape_of(value.args[1])[1], np.float32) if one_row else None


def _biased(main: Any) -> set[Any]:
    """The products whose only reader adds one constant per channel."""
    uses: Counter[Any] = use_counts(main)
    values = relax.analysis.get_var2val(main)
    found = set()
    for binding in bindings(main):
        if not is_call(binding.value, "relax.add") or constant_value(binding.value.args[1]) is None:
            continue
        product, bias = binding.value.args
        if isinstance(product, relax.Var) and uses[product] == 1 and _is_bias(shape_of(product), shape_of(bias)):
            found.add(values.get(product))
    return found


def _is_bias(product: tuple[int, ...], bias: tuple[int, ...]) -> bool:
    """Whether a constant adds one value per channel to an NCHW image, or per column to a row."""
    if len(product) == 4:
        return bias == (1, product[1], 1, 1) or bias == (product[1], 1, 1)
    return bool(product) and bias in ((product[-1],), (1, product[-1]))
