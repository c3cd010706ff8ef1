"""Draw the transpose of an NCHW tensor into the chains that read it: their load stage reads the planes as they are.

Before: ``fused(permute_dims(x, [0, 2, 3, 1]))``. After: ``fused(x)``, whose function begins with that transpose. What a
resize reads stays. Runs when everything is fused.
"""

from __future__ import annotations

from typing import Any

from tvm import relax
from tvm.relax.utils import copy_with_new_vars

from mnv2c.passes.base import bindings, is_call, run_on_main
from mnv2c.passes.outline import ATTRIBUTE

TO_NHWC = [0, 2, 3, 1]


def fuse_inputs(module: Any) -> Any:
    """Run the pass on ``main``; functions that nothing calls any more are dropped."""
    return relax.transform.DeadCodeElimination(["main"])(run_on_main(module, _FuseInputs))


@relax.expr_functor.mutator
class _FuseInputs(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.module = module

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if call.op not in self.module.functions or ATTRIBUTE not in (self.module[call.op].attrs or {}):
            return call
        resized = _resized(self.module[call.op])
        sources = [
            None if parameter in resized else self._planar_source(argument)
            for parameter, argument in zip(self.module[call.op].params, call.args, strict=True)
        ]
        if not any(source is not None for source in sources):
            return call
        function = _with_turned_inputs(self.module[call.op], sources)
        target = self.builder_.add_func(function, f"{call.op.name_hint}_nchw")
        arguments = [old if new is None else new for old, new in zip(call.args, sources, strict=True)]
        return relax.Call(target, arguments)

    def _planar_source(self, argument: Any) -> Any | None:
        value = self.lookup_binding(argument) if isinstance(argument, relax.Var) else None
        if value is None or not is_call(value, "relax.permute_dims"):
            return None
        return value.args[0] if [int(axis) for axis in value.attrs.axes or ()] == TO_NHWC else None


def _resized(function: Any) -> list[Any]:
    """The parameters that a resize reads: as a whole, where a load stage would have a few rows of them only."""
    return [binding.value.args[0] for binding in bindings(function) if is_call(binding.value, "relax.image.resize2d")]


def _with_turned_inputs(function: Any, sources: list[Any]) -> Any:
    """Return the function with every parameter that has a source replaced by the transpose of such a parameter."""
    builder = relax.BlockBuilder()
    parameters, turns = [], []
    for parameter, source in zip(function.params, sources, strict=True):
        planar = parameter if source is None else relax.Var(f"{parameter.name}_nchw", source.ty)
        parameters.append(planar)
        if source is not None:
            turned = builder.normalize(relax.op.permute_dims(planar, TO_NHWC))
            turns.append(relax.VarBinding(parameter, turned))
    body = relax.SeqExpr([relax.DataflowBlock([*turns, *bindings(function)])], function.body.body)
    turned_function = relax.Function(parameters, body, function.ret_ty, is_pure=True)
    return copy_with_new_vars(turned_function).with_attr(ATTRIBUTE, function.attrs[ATTRIBUTE])
