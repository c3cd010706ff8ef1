"""Bring every global average of an NCHW image into one form: ``mean`` over the axes 2 and 3 that keeps its dimensions.

Before: ``avg_pool2d`` whose window is the whole image, ``adaptive_avg_pool2d`` to one pixel, ``mean`` over negative
axes or one that drops its dimensions, or two means one after the other. After: one ``mean``, and a reshape where
dimensions were dropped.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import is_call, run_on_main, shape_of


def global_means(module: Any) -> Any:
    """Run the pass on ``main``."""
    return run_on_main(module, _GlobalMeans)


@relax.expr_functor.mutator
class _GlobalMeans(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        source = self._averaged(call)
        if source is None:
            return call
        mean = relax.op.mean(source, [2, 3], keepdims=True)
        shape = shape_of(self.builder_.normalize(call))
        if len(shape) == 4:
            return mean
        return relax.op.reshape(self.builder_.emit(mean), list(shape))

    def _averaged(self, call: Any) -> Any | None:
        """Return the image of which ``call`` is the global average, if it is one."""
        if is_call(call, "relax.nn.avg_pool2d") or is_call(call, "relax.nn.adaptive_avg_pool2d"):
            return call.args[0] if _covers_all(call, shape_of(self.builder_.normalize(call))) else None
        if not is_call(call, "relax.mean"):
            return None
        source, axes = call.args[0], _axes(call)
        inner = self.lookup_binding(source) if isinstance(source, relax.Var) else None
        if inner is not None and is_call(inner, "relax.mean") and len(shape_of(inner.args[0])) == 4:
            axes = _original_axes(axes, _axes(inner), bool(inner.attrs.keepdims))
            source = inner.args[0]
        return source if len(shape_of(source)) == 4 and axes == [2, 3] else None


def _covers_all(call: Any, result: tuple[int, ...]) -> bool:
    image = shape_of(call.args[0])
    if len(image) != 4 or str(call.attrs.layout) != "NCHW" or result[2:] != (1, 1):
        return False
    if is_call(call, "relax.nn.adaptive_avg_pool2d"):
        return True
    window = tuple(int(extent) for extent in call.attrs.pool_size)
    return window == image[2:] and not any(int(pad) for pad in call.attrs.padding)


def _axes(call: Any) -> list[int]:
    rank = len(shape_of(call.args[0]))
    return sorted(int(axis) % rank for axis in (range(rank) if call.attrs.axis is None else call.attrs.axis))


def _original_axes(axes: list[int], before: list[int], kept: bool) -> list[int]:
    """Return the axes of the first of two means that both together average."""
    left = list(range(4)) if kept else [axis for axis in range(4) if axis not in before]
    return sorted({*before, *(left[axis] for axis in axes)})
