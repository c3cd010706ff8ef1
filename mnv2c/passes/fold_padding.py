"""Fold an explicit pad of an image with zeros into the padding of the convolutions that read it.

Before: ``conv2d(pad(x, rows and columns, 0), W, padding=p)``. After: ``conv2d(x, W, padding=p + widths)``. Runs before
the layout is changed (NCHW). Keras' files and ``auto_pad`` pad so.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import is_call, run_on_main, shape_of


def fold_padding(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _FoldPadding)


@relax.expr_functor.mutator
class _FoldPadding(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not is_call(call, "relax.nn.conv2d") or not isinstance(call.args[0], relax.Var):
            return call
        pad = self.lookup_binding(call.args[0])
        if pad is None or not is_call(pad, "relax.nn.pad") or str(call.attrs.data_layout) != "NCHW":
            return call
        widths = [int(width) for width in pad.attrs.pad_width]
        zeros = str(pad.attrs.pad_mode) == "constant" and float(pad.attrs.pad_value) == 0.0
        if not zeros or len(shape_of(pad.args[0])) != 4 or any(widths[:4]):
            return call
        # A pad counts (before, after) per dimension, a convolution (top, left, bottom, right).
        top, bottom, left, right = widths[4:]
        added = [top, left, bottom, right]
        attributes = call.attrs
        return relax.op.nn.conv2d(
            pad.args[0],
            call.args[1],
            strides=[int(stride) for stride in attributes.strides],
            padding=[int(old) + more for old, more in zip(attributes.padding, added, strict=True)],
            dilation=[int(step) for step in attributes.dilation],
            groups=int(attributes.groups),
        )
