"""Turn groups of bindings of ``main`` into functions of their own; the fusion passes only say which bindings.

A function's attribute ``mnv2c.chain`` holds the kind of the group. Unlike TVM's FuseOpsByPattern a group may have
several results: a value inside it that others read is a side output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import relax
from tvm.relax.analysis import free_vars
from tvm.relax.utils import copy_with_new_vars

from mnv2c.passes.base import bindings

ATTRIBUTE = "mnv2c.chain"


@dataclass(frozen=True)
class Group:
    """The variables of one group in the order they are bound; the last one is its result.

    ``first`` are read values that become the function's first parameters.
    """

    kind: str
    variables: tuple[Any, ...]
    first: tuple[Any, ...] = ()


def outline(module: Any, groups: Sequence[Group]) -> Any:
    """Replace every group by a call of a new function; groups must not overlap."""
    if not groups:
        return module
    main = module["main"]
    owner = {variable: group for group in groups for variable in group.variables}
    rewritten = module.clone()
    items: list[list[Any]] = []
    bound = bindings(main)
    inside: dict[int, list[Any]] = defaultdict(list)
    for binding in bound:
        inside[id(owner.get(binding.var))].append(binding)
    read = _read_outside(main, bound, owner)
    for binding in bound:
        group = owner.get(binding.var)
        if group is None:
            items.append([binding])
        elif id(group) in inside:
            outputs = [variable for variable in group.variables if variable in read or variable == group.variables[-1]]
            items.append(_call(rewritten, inside.pop(id(group)), outputs, group))
    ordered = _in_dependency_order(items, main.params)
    block = relax.DataflowBlock([binding for item in ordered for binding in item])
    body = relax.SeqExpr([block], main.body.body)
    function = relax.Function(main.params, body, main.ret_ty, attrs=main.attrs)
    rewritten.update_func(rewritten.get_global_var("main"), function)
    return relax.transform.CanonicalizeBindings()(rewritten)


def _call(module: Any, inside: Sequence[Any], outputs: Sequence[Any], group: Group) -> list[Any]:
    """Add the group's function to the module; return the bindings that call it and bind its results, ``outputs``."""
    inputs = [*group.first, *(value for value in _inputs(inside) if value not in group.first)]
    function = _function(inside, inputs, outputs, group.kind)
    name = f"fused_{group.kind}_{sum(1 for entry in module.get_global_vars() if entry.name_hint != 'main')}"
    builder = relax.BlockBuilder(module)
    target = builder.add_func(function, name)
    module.update_func(target, builder.get()[target])
    call = relax.Call(target, inputs)
    if len(outputs) == 1:
        return [relax.VarBinding(outputs[0], call)]
    result = relax.DataflowVar(f"{name}_results", relax.TupleType([output.ty for output in outputs]))
    items = [relax.VarBinding(output, relax.TupleGetItem(result, index)) for index, output in enumerate(outputs)]
    return [relax.VarBinding(result, call), *items]


def _inputs(inside: Sequence[Any]) -> list[Any]:
    defined = {binding.var for binding in inside}
    used = (variable for binding in inside for variable in free_vars(binding.value))
    return [variable for variable in dict.fromkeys(used) if variable not in defined]


def _read_outside(main: Any, bound: Sequence[Any], owner: Mapping[Any, Group]) -> set[Any]:
    """The variables of groups that others than their own group read, or the caller of ``main``."""
    read = set(free_vars(main.body.body))
    for binding in bound:
        group = owner.get(binding.var)
        read.update(
            variable for variable in free_vars(binding.value) if group is None or owner.get(variable) is not group
        )
    return read


def _function(inside: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], kind: str) -> Any:
    # A function's parameters and results cannot be the dataflow variables of main: bind them to ordinary ones.
    parameters = [relax.Var(f"input_{index}", value.ty) for index, value in enumerate(inputs)]
    starts = [relax.VarBinding(value, parameter) for value, parameter in zip(inputs, parameters, strict=True)]
    results = [relax.Var(f"result_{index}", output.ty) for index, output in enumerate(outputs)]
    ends = [relax.VarBinding(result, output) for result, output in zip(results, outputs, strict=True)]
    value = results[0] if len(results) == 1 else relax.Tuple(results)
    body = relax.SeqExpr([relax.DataflowBlock([*starts, *inside, *ends])], value)
    result_type = results[0].ty if len(results) == 1 else relax.TupleType([result.ty for result in results])
    function = relax.Function(parameters, body, result_type, is_pure=True)
    return copy_with_new_vars(function).with_attr(ATTRIBUTE, kind)


def _in_dependency_order(items: list[list[Any]], parameters: Sequence[Any]) -> list[list[Any]]:
    """Order items so that every variable is bound before it is read, keeping the given order where possible."""
    bound = set(parameters)
    ordered: list[list[Any]] = []
    waiting = list(items)
    while waiting:
        ready = next(item for item in waiting if all(variable in bound for variable in free_vars(item[0].value)))
        waiting.remove(ready)
        ordered.append(ready)
        bound.update(binding.var for binding in ready)
    return ordered
