"""Find concatenations that need no copy: each operand's place in the result is one run of memory.

That is so where all dimensions before the joined one are 1, as when a detector strings the predictions of its feature
maps together: NHWC maps, reshaped to one row per prior box, joined along the boxes.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import bindings, is_call, is_float32, shape_of
from mnv2c.passes.convolutions import use_counts


def plain_concatenations(main: Any) -> dict[Any, tuple[tuple[Any, ...], ...]]:
    """Map the variable of each such concatenation to its operands' histories.

    A history leads from the operand back through reshapes, each read by the next alone, to what was computed; it ends
    with that variable.
    """
    values = relax.analysis.get_var2val(main)
    uses = use_counts(main)
    found = {}
    for binding in bindings(main):
        operands = _operands(binding.value, values)
        if operands and len(set(operands)) == len(operands) and all(uses[entry] == 1 for entry in operands):
            histories = tuple(_history(entry, values, uses) for entry in operands)
            if all(history for history in histories):
                found[binding.var] = histories
    return found


def _operands(value: Any, values: Any) -> list[Any]:
    """The operands of a concatenation of float32 tensors, if each lies in one run; else none."""
    if not is_call(value, "relax.concat"):
        return []
    joined = values.get(value.args[0], value.args[0])
    fields = list(getattr(joined, "fields", ()))
    if not fields or not all(isinstance(field, relax.Var) and is_float32(field) for field in fields):
        return []
    shape = shape_of(fields[0])
    axis = 0 if value.attrs.axis is None else int(value.attrs.axis) % len(shape)
    return fields if all(extent == 1 for extent in shape[:axis]) else []


def _history(variable: Any, values: Any, uses: Any) -> tuple[Any, ...]:
    """The variables from an operand back to what was computed; none if somebody else reads one of them."""
    history = [variable]
    while is_call(values.get(history[-1]), "relax.reshape"):
        source = values[history[-1]].args[0]
        if not isinstance(source, relax.Var) or uses[source] != 1:
            return ()
        history.append(source)
    return tuple(history)
