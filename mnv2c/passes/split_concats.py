"""Turn a 1x1 convolution of concatenated channels into a sum of 1x1 convolutions, one per part: DeepLab's pyramid.

Before: ``conv2d(concat(a, b, ...), W) + bias`` with 1x1 filters. After: ``(conv2d(a, Wa) + bias) + (conv2d(b, Wb) + 0)
+ ...``, so that no part is ever copied, nor kept whole where the convolution before it is fused with its own. A part
that was one pixel, resized to an image, is convolved as the pixel it is, and its sum added to every pixel.
Preconditions: channels last, every convolution has a bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from mnv2c.passes.base import Array, constant, constant_value, is_call, is_float32, run_on_main, shape_of
from mnv2c.passes.convolutions import use_counts


def split_concats(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _SplitConcats)


@relax.expr_functor.mutator
class _SplitConcats(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.values = relax.analysis.get_var2val(module["main"])
        self.uses = use_counts(module["main"])

    def visit_call_(self, call: Any) -> Any:
        parts = self._parts(call)
        if parts is None:
            return self.visit_expr_post_order(call)
        product, bias = self.values[call.args[0]], constant_value(call.args[1])
        weight = constant_value(product.args[1])
        assert weight is not None and bias is not None  # `_parts` says so
        start, slices = 0, list[tuple[Any, Array]]()
        for part in parts:
            end = start + shape_of(part)[3]
            slices.append((part, weight[..., start:end]))
            start = end
        # Pixels first: the sum of the first image then takes them up without a further step.
        slices = [(self._pixel(part), values) for part, values in slices]
        slices.sort(key=lambda entry: _is_image(entry[0]))
        return self._sum(slices, bias)

    def _sum(self, slices: list[tuple[Any, Array]], bias: Array) -> Any:
        total, done = None, bias
        for number, (part, weight) in enumerate(slices):
            product = self.builder_.emit(relax.op.nn.conv2d(
                self.visit_expr(part), constant(weight), data_layout="NHWC", kernel_layout="OHWI", out_layout="NHWC"
            ))  # fmt: skip
            summed = relax.op.add(product, constant(done))
            done = np.zeros_like(bias)
            if total is not None:
                summed = relax.op.add(self.builder_.emit(summed), total)
            if number == len(slices) - 1:
                return self.builder_.normalize(summed)
            total = self.builder_.emit(summed)
        return total

    def _parts(self, call: Any) -> list[Any] | None:
        """Return what is concatenated before the convolution to which ``call`` adds the bias."""
        if not is_call(call, "relax.add") or constant_value(call.args[1]) is None or not is_float32(call):
            return None
        product = self.values.get(call.args[0])
        if product is None or not is_call(product, "relax.nn.conv2d") or self.uses[call.args[0]] != 1:
            return None
        weight, joined = constant_value(product.args[1]), self.values.get(product.args[0])
        if weight is None or weight.shape[1:3] != (1, 1) or int(product.attrs.groups) != 1:
            return None
        plain = [*product.attrs.strides] == [1, 1] and not any(int(pad) for pad in product.attrs.padding)
        if not plain or joined is None or not is_call(joined, "relax.concat") or self.uses[product.args[0]] != 1:
            return None
        fields = self._fields(joined.args[0])
        if not all(isinstance(field, relax.Var) for field in fields):  # a constant, which no chain reads
            return None
        images = [field for field in fields if _is_image(self._pixel(field))]
        return fields if int(joined.attrs.axis) % 4 == 3 and images else None

    def _fields(self, value: Any) -> list[Any]:
        value = self.values.get(value, value) if isinstance(value, relax.Var) else value
        return list(value.fields) if hasattr(value, "fields") else []

    def _pixel(self, part: Any) -> Any:
        """Return the pixel that ``part`` is a resized copy of, or ``part``."""
        value = self.values.get(part) if isinstance(part, relax.Var) else None
        if value is None or not is_call(value, "relax.image.resize2d") or str(value.attrs.layout) != "NHWC":
            return part
        return value.args[0] if shape_of(value.args[0])[1:3] == (1, 1) else part


def _is_image(part: Any) -> bool:
    return shape_of(part)[1:3] != (1, 1)
