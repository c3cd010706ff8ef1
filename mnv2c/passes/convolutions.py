"""Recognise the convolutions of a normalised network, with their bias and clamp, for the fusion passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

from tvm import relax
from tvm.relax.analysis import free_vars
from tvm.relax.dpl import is_const, is_op, wildcard

from mnv2c.passes.base import bindings, is_call, is_float32, shape_of

MOST_TAPS = 225
"""Of a depthwise window, 15x15: LLVM takes two seconds for its kernel, and a minute for one of 31x31."""


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
        """Whether the kernel generator has a stage for it: those of depthwise windows write out every tap."""
        return (self.is_depthwise and prod(self.kernel) <= MOST_TAPS) or self.groups == 1


CLAMPS = (("relax.maximum", "relax.minimum"), ("relax.maximum",), ("relax.minimum",), ())
"""The forms of a clamp, the longest first: ReLU6, ReLU, a cut, none."""


def _pattern(clamp: tuple[str, ...]) -> dict[str, Any]:
    parts = {"source": wildcard()}
    parts["product"] = is_op("relax.nn.conv2d")(parts["source"], is_const())
    last = parts["biased"] = is_op("relax.add")(parts["product"], is_const())
    for bound in clamp:
        last = parts[bound] = is_op(bound)(last, is_const())
    return parts


def convolutions(main: Any) -> dict[Any, Convolution]:
    """Return every supported convolution of ``main`` by its result, in program order."""
    values = relax.analysis.get_var2val(main)
    owners = {value: variable for variable, value in values.items()}
    uses = use_counts(main)
    patterns = [_pattern(clamp) for clamp in CLAMPS]
    found: dict[Any, Convolution] = {}
    for binding in bindings(main):
        for pattern in patterns:
            end = list(pattern.values())[-1]
            matched = end.extract_matched_expr(binding.var, values) if is_tensor(binding.var) else None
            if not matched:
                continue
            convolution = _convolution(pattern, matched, (values, owners), uses)
            if not _is_one_image(convolution) or not _has_plain_constants(convolution, values):
                continue
            if convolution.is_supported and all(uses[inner] == 1 for inner in convolution.variables[:-1]):
                # A match inside one with more of the clamp is the same convolution; its end comes first.
                found = {result: entry for result, entry in found.items() if result not in convolution.variables}
                found[convolution.result] = convolution
            break
    return found


def _convolution(pattern: dict[str, Any], matched: Any, known: tuple[Any, Any], uses: Counter[Any]) -> Convolution:
    """``known`` are the values by their variables, and the variables by their values."""
    values, owners = known
    variables = tuple(_as_variable(matched[part], owners) for name, part in pattern.items() if name != "source")
    call = values[variables[0]]
    outputs, *kernel, _ = shape_of(call.args[1])
    inputs = shape_of(call.args[0])[-1]
    groups = int(call.attrs.groups)
    return Convolution(call.args[0], variables, (kernel[0], kernel[1]), groups, (inputs, outputs), uses[variables[-1]])


def _is_one_image(convolution: Convolution) -> bool:
    """Whether the result is an image of batch 1 and dtype float32, and what is convolved no constant."""
    return (
        isinstance(convolution.source, relax.Var)
        and is_float32(convolution.result)
        and shape_of(convolution.result)[0] == 1
    )


def _has_plain_constants(convolution: Convolution, values: Any) -> bool:
    """Whether the bias is one value per channel and the bounds are scalars (a constant may also be a whole image)."""
    biased, *clamp = convolution.variables[1:]
    bias, bounds = shape_of(values[biased].args[1]), [values[variable].args[1] for variable in clamp]
    channels = convolution.channels[1]
    scalars = all(prod(shape_of(bound)) == 1 for bound in bounds)
    return prod(bias) == channels == (bias or (0,))[-1] and scalars


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
