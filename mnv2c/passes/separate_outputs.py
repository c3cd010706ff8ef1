"""Give every output of the network memory of its own: the caller hands over one buffer for each.

Before: an output that is an input, a constant, a reshape of either, or another output once more. After: a copy of it,
which is a fallback. Runs when everything is fused.
"""

from __future__ import annotations

from typing import Any

from tvm import relax, topi

from mnv2c.passes.base import is_call, run_on_main


def separate_outputs(module: Any) -> Any:
    """Run the pass on ``main``."""
    if not _shared(module["main"]):
        return module
    return run_on_main(relax.transform.ToNonDataflow()(module), _SeparateOutputs)


def _shared(main: Any) -> list[int]:
    """Numbers of the outputs that need a copy."""
    values = relax.analysis.get_var2val(main)
    seen: list[Any] = list(main.params)
    found = []
    for number, output in enumerate(_outputs(main, values)):
        root = _root(output, values)
        if not isinstance(root, (relax.Var, tuple)) or root in seen:
            found.append(number)
        seen.append(root)
    return found


def _outputs(main: Any, values: Any) -> list[Any]:
    result = main.body.body
    fields = getattr(values.get(result, result) if isinstance(result, relax.Var) else result, "fields", None)
    return [result] if fields is None else list(fields)


def _root(value: Any, values: Any) -> Any:
    """What ``value`` is another name of: a variable, an element of a tuple, or a constant."""
    while isinstance(value, relax.Var) and value in values:
        bound = values[value]
        if is_call(bound, "relax.reshape"):
            value = bound.args[0]
        elif isinstance(bound, relax.TupleGetItem):
            return (bound.tuple_value, bound.index)
        elif isinstance(bound, relax.Var) or not isinstance(bound, relax.Call):
            value = bound
        else:
            break
    return value


@relax.expr_functor.mutator
class _SeparateOutputs(relax.PyExprMutator):  # type: ignore[misc]  # TVM is untyped
    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.main = module["main"]

    def visit_seq_expr_(self, sequence: Any) -> Any:
        """Only ``main`` is visited, whose body is one sequence."""
        blocks = [self.visit_binding_block(block) for block in sequence.blocks]
        outputs = [self.visit_expr(value) for value in _outputs(self.main, relax.analysis.get_var2val(self.main))]
        self.builder_._begin_binding_block()
        for number in _shared(self.main):
            outputs[number] = self.builder_.emit_te(topi.identity, outputs[number], primfunc_name_hint="copy")
        result = outputs[0] if len(outputs) == 1 else relax.Tuple(outputs)
        return self.builder_.normalize(relax.SeqExpr([*blocks, self.builder_._end_block()], result))
