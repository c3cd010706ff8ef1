"""Turn concatenations of what chains leave into placements: every operand is written where it belongs, none is copied.

Before: ``concat((reshape(fused_0(x)), reshape(fused_1(x))), axis=1)``. After: a call of a function of kind
``placement`` that holds the reshapes and the concatenation; the plan reads it as places in one tensor
(`mnv2c.lower.read`). Runs when everything is fused.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.concatenations import plain_concatenations
from mnv2c.passes.outline import ATTRIBUTE, Group, outline

PLACEMENT = "placement"


def place_concatenations(module: Any) -> Any:
    """Run the pass on ``main``."""
    main = module["main"]
    values = relax.analysis.get_var2val(main)
    groups = []
    for result, histories in plain_concatenations(main).items():
        if all(_is_chain_result(module, history[-1], values) for history in histories):
            reshapes = (variable for history in histories for variable in reversed(history[:-1]))
            joined = values[result].args[0]
            named = (joined,) if isinstance(joined, relax.Var) else ()
            groups.append(Group(PLACEMENT, (*reshapes, *named, result)))
    return outline(module, groups)


def _is_chain_result(module: Any, variable: Any, values: Any) -> bool:
    """Whether a chain's kernel writes ``variable``, and it alone."""
    value = values.get(variable)
    if isinstance(value, relax.TupleGetItem):
        value = values.get(value.tuple_value)
    if not isinstance(value, relax.Call) or value.op not in module.functions:
        return False
    attributes = module[value.op].attrs or {}
    return ATTRIBUTE in attributes and attributes[ATTRIBUTE] != PLACEMENT
