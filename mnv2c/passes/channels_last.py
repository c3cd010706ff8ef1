"""Convert convolutions to NHWC activations and OHWI weights, and remove the transposes that cancel.

Preconditions: batch normalisation is folded; bounds are maximum and minimum (see `mnv2c.to_relax.importer`), which
let layouts pass. A transpose that moves only extents of 1 becomes a reshape, which costs nothing.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax

from mnv2c.passes.base import is_call, run_on_main, shape_of
from mnv2c.passes.fold_constants import fold_constants

LAYOUTS = {"relax.nn.conv2d": ["NHWC", "OHWI"]}
TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def channels_last(module: Any) -> Any:
    """Run the pass on ``main``."""
    try:
        converted = relax.transform.ConvertLayout(LAYOUTS)(module)
    except tvm.error.InternalError:  # of operators that change the rank of an image or give several results
        converted = run_on_main(module, _TurnConvolutions)
    return run_on_main(run_on_main(fold_constants(converted), _JoinTransposes), _JoinReshapes)


@relax.expr_functor.mutator
class _TurnConvolutions(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    """Turns every convolution by itself: what lies between two of them stays as it is, transposes around it."""

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not is_call(call, "relax.nn.conv2d") or str(call.attrs.data_layout) != "NCHW":
            return call
        how = call.attrs
        image, weight = (self.builder_.emit(relax.op.permute_dims(operand, TO_LAST)) for operand in call.args)
        turned = relax.op.nn.conv2d(
            image,
            weight,
            strides=list(how.strides),
            padding=list(how.padding),
            dilation=list(how.dilation),
            groups=int(how.groups),
            data_layout="NHWC",
            kernel_layout="OHWI",
        )
        return relax.op.permute_dims(self.builder_.emit(turned), TO_FIRST)


@relax.expr_functor.mutator
class _JoinTransposes(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not is_call(call, "relax.permute_dims"):
            return call
        source = call.args[0]
        axes = _axes(call, len(shape_of(source)))
        inner = self.lookup_binding(source) if isinstance(source, relax.Var) else None
        if inner is not None and is_call(inner, "relax.permute_dims"):
            first = _axes(inner, len(axes))
            source, axes = inner.args[0], [first[axis] for axis in axes]
        if axes == sorted(axes):
            return source
        shape = shape_of(source)
        if [axis for axis in axes if shape[axis] > 1] == [axis for axis in range(len(axes)) if shape[axis] > 1]:
            return relax.op.reshape(source, [shape[axis] for axis in axes])
        return relax.op.permute_dims(source, axes)


@relax.expr_functor.mutator
class _JoinReshapes(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if not is_call(call, "relax.reshape"):
            return call
        source, shape = call.args[0], shape_of(self.builder_.normalize(call))
        inner = self.lookup_binding(source) if isinstance(source, relax.Var) else None
        if inner is not None and is_call(inner, "relax.reshape"):
            source = inner.args[0]
        return source if shape_of(source) == shape else relax.op.reshape(source, list(shape))


def _axes(call: Any, rank: int) -> list[int]:
    axes = call.attrs.axes
    return [int(axis) % rank for axis in axes] if axes else list(reversed(range(rank)))
