"""Convert convolutions to NHWC activations and OHWI weights, and remove the transposes that cancel.

Preconditions: batch normalisation is folded; bounds are maximum and minimum (see `mnv2c.to_relax.importer`), which
let layouts pass. A transpose that moves only extents of 1 becomes a reshape, which costs nothing.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import is_call, run_on_main, shape_of
from mnv2c.passes.fold_constants import fold_constants

LAYOUTS = {"relax.nn.conv2d": ["NHWC", "OHWI"]}


def channels_last(module: Any) -> Any:
    """Run the pass on ``main``."""
    converted = relax.transform.ConvertLayout(LAYOUTS)(module)
    return run_on_main(run_on_main(fold_constants(converted), _JoinTransposes), _JoinReshapes)


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
