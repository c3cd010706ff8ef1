"""Recognise the convolutions of a normalised network, with their bias and clamp, for the fusion passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

from tvm import relax
from tvm.relax.analysis import free_vars
from tvm.relax.dpl import is_const, is_op, wildcard

from mnv2c.passes.base import bindings, is_call, shape_of


@dataclass(frozen=True)
class Convolution:
    """``conv2d(source, constant) + constant``, clamped or not; ``variables`` are bound in this order."""

    source: Any
    variables: tuple[Any, ...]
    kernel: tuple[int, int]
    groups: int
    channels: tuple[int, int]
    uses: int

    @property
    def result(self) -> Any:
        """The variable that holds the result."""
        return self.variables[-1]

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a plain 1x1 convolution."""
        return self.kernel == (1, 1) and self.groups == 1

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel has a filter of its own."""
        return self.groups > 1 and self.channels == (self.groups, self.groups)

    @property
    def is_supported(self) -> bool:
        """Whether the kernel generator has a stage for it."""
        return self.is_depthwise or self.groups == 1


def _pattern(clamped: bool) -> dict[str, Any]:
    parts = {"source": wildcard()}
    parts["product"] = is_op("relax.nn.conv2d")(parts["source"], is_const())
    parts["biased"] = is_op("relax.add")(parts["product"], is_const())
    if clamped:
        parts["raised"] = is_op("relax.maximum")(parts["biased"], is_const())
        parts["result"] = is_op("relax.minimum")(parts["raised"], is_const())
    return parts


def convolutions(main: Any) -> dict[Any, Convolution]:
    """Return every supported convolution of ``main`` by its result, in program order."""
    values = relax.analysis.get_var2val(main)
    uses = use_counts(main)
    patterns = [_pattern(clamped=True), _pattern(clamped=False)]
    found: dict[Any, Convolution] = {}
    for binding in bindings(main):
        for pattern in patterns:
            end = pattern.get("result", pattern["biased"])
            matched = end.extract_matched_expr(binding.var, values) if is_tensor(binding.var) else None
            if not matched:
                continue
            convolution = _convolution(pattern, matched, values, uses)
            if not _has_plain_constants(convolution, values):
                continue
            if convolution.is_supported and all(uses[inner] == 1 for inner in convolution.variables[:-1]):
                # An unclamped match inside a clamped one is the same convolution; its end comes first.
                found = {result: entry for result, entry in found.items() if result not in convolution.variables}
                found[convolution.result] = convolution
            break
    return found


def _convolution(pattern: dict[str, Any], matched: Any, values: Any, uses: Counter[Any]) -> Convolution:
    owners = {value: variable for variable, value in values.items()}
    names = [name for name in ("product", "biased", "raised", "result") if name in pattern]
    variables = tuple(_as_variable(matched[pattern[name]], owners) for name in names)
    call = values[variables[0]]
    outputs, *kernel, _ = shape_of(call.args[1])
    inputs = shape_of(call.args[0])[-1]
    groups = int(call.attrs.groups)
    return Convolution(call.args[0], variables, (kernel[0], kernel[1]), groups, (inputs, outputs), uses[variables[-1]])


def _has_plain_constants(convolution: Convolution, values: Any) -> bool:
    """Whether the bias is one value per channel and the bounds are scalars (a constant may also be a whole image)."""
    biased, *clamp = convolution.variables[1:]
    bias, bounds = shape_of(values[biased].args[1]), [values[variable].args[1] for variable in clamp]
    channels = convolution.channels[1]
    return prod(bias) == channels == bias[-1] and all(prod(shape_of(bound)) == 1 for bound in bounds)


def _as_variable(expression: Any, owners: dict[Any, Any]) -> Any:
    return expression if isinstance(expression, relax.Var) else owners[expression]


def is_tensor(variable: Any) -> bool:
    """Whether a variable holds a single tensor."""
    return isinstance(variable.ty, relax.TensorType)


def use_counts(main: Any) -> Counter[Any]:
    """Count the readers of every variable of ``main``; the function's result counts as one."""
    counts: Counter[Any] = Counter()
    for binding in bindings(main):
        counts.update(free_vars(binding.value))
    counts.update(free_vars(main.body.body))
    return counts


def convolution_after(found: dict[Any, Convolution], previous: Convolution) -> Convolution | None:
    """Return the first convolution that reads ``previous``, a depthwise one if there is one."""
    readers = [entry for entry in found.values() if entry.source == previous.result]
    return next((entry for entry in readers if entry.is_depthwise), readers[0] if readers else None)


def shortcut_after(main: Any, last: Convolution, source: Any) -> Any | None:
    """Return the variable of ``last + source``, if that sum is the only reader of ``last``."""
    for binding in bindings(main) if last.uses == 1 else []:
        if is_call(binding.value, "relax.add") and set(binding.value.args) == {last.result, source}:
            return binding.var
    return None
