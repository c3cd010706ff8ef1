"""Bring what spreads one pixel over an image (DeepLab's image-level branch) into one form: a bilinear resize.

Before: ``broadcast_to`` of an NCHW tensor of one pixel, or its resize by any method. After: ``resize2d`` by the method
"linear", which `mnv2c.passes.split_concats` understands and a stage computes. Runs before the layout is changed.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import is_call, is_float32, run_on_main, shape_of


def spread_pixels(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _SpreadPixels)


@relax.expr_functor.mutator
class _SpreadPixels(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        known = is_call(call, "relax.broadcast_to") or is_call(call, "relax.image.resize2d")
        if not known or not is_float32(call.args[0]):
            return call
        pixel, result = shape_of(call.args[0]), shape_of(self.builder_.normalize(call))
        if len(pixel) != 4 or len(result) != 4 or pixel[:2] != result[:2] or pixel[2:] != (1, 1):
            return call
        return relax.op.image.resize2d(
            call.args[0], result[2:], layout="NCHW", method="linear", coordinate_transformation_mode="half_pixel"
        )
