"""Read a chain's Relax function into stages: the one place where the plan looks at TVM's graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mnv2c.errors import CompilerError
from mnv2c.passes.base import bindings, constant_value, is_call, shape_of
from mnv2c.plan.chain import Activation, Chain, Order, Shape, Stage, StageKind, Window, input_name
from mnv2c.plan.network import Array
from mnv2c.plan.resampling import coordinates

WeightedStages = dict[str, tuple[Array, Array]]


def read_chain(function: Any, kind: str) -> tuple[Chain, WeightedStages]:
    """Return the chain of a fused function and its weights; raises CompilerError for an operator with no stage."""
    reader = _Reader(function, kind)
    for binding in bindings(function):
        reader.read(binding.var, binding.value)
    return reader.chain(function), reader.weights


class _Reader:
    def __init__(self, function: Any, kind: str) -> None:
        self.kind = kind
        self.stages: dict[str, Stage] = {}
        self.weights: WeightedStages = {}
        self.owner = {parameter: input_name(index) for index, parameter in enumerate(function.params)}
        self.inputs = [to_shape(shape_of(parameter)) for parameter in function.params]
        self.orders = [Order.NHWC] * len(self.inputs)
        self.lower: dict[Any, float] = {}

    def chain(self, function: Any) -> Chain:
        result = function.body.body
        values = list(result.fields) if hasattr(result, "fields") else [result]
        names = tuple(self.owner[value] for value in values)
        last = list(self.stages)[-1]
        outputs = (last, *(name for name in names if name != last))
        if names[-1] != last:
            raise CompilerError(f"the last stage {last} of a {self.kind} chain is not its last result")
        orders = tuple(self.orders) if Order.NCHW in self.orders else ()
        return Chain(self.kind, tuple(self.inputs), tuple(self.stages.values()), outputs, input_orders=orders)

    def read(self, variable: Any, value: Any) -> None:
        """Read one binding: a new stage, or the bias or clamp of the one before it."""
        if is_call(value, "relax.nn.conv2d"):
            self._add_convolution(variable, value)
        elif is_call(value, "relax.matmul"):
            self._add_dense(variable, value)
        elif is_call(value, "relax.mean"):
            self._add_stage(variable, StageKind.POOL, (self.owner[value.args[0]],), Window())
        elif is_call(value, "relax.add"):
            self._add_sum(variable, value)
        elif is_call(value, "relax.maximum"):
            self.owner[variable] = self.owner[value.args[0]]
            self.lower[variable] = self._scalar(value)
            self._replace(self.owner[variable], activation=Activation(self.lower[variable], float("inf")))
        elif is_call(value, "relax.minimum"):
            name = self.owner[variable] = self.owner[value.args[0]]
            low = self.lower.get(value.args[0], float("-inf"))
            self._replace(name, activation=Activation(low, self._scalar(value)))
        elif is_call(value, "relax.image.resize2d"):
            name = self._add_stage(variable, StageKind.RESIZE, (self.owner[value.args[0]],), Window())
            how = str(value.attrs.coordinate_transformation_mode)
            self._replace(name, coordinates=coordinates(how, shape_of(value)[1:3]))
        elif is_call(value, "relax.argmax"):
            self._add_argmax(variable, value)
        elif is_call(value, "relax.astype"):
            name = self.owner[variable] = self.owner[value.args[0]]
            self._replace(name, dtype=str(value.attrs.dtype))
        elif is_call(value, "relax.permute_dims"):
            self._turn(variable, value)
        elif value in self.owner:
            self.owner[variable] = self.owner[value]
        else:
            raise CompilerError(f"no stage for {value} in a {self.kind} chain")

    def _add_argmax(self, variable: Any, call: Any) -> None:
        source = self.owner[call.args[0]]
        name = self._add_stage(variable, StageKind.ARGMAX, (source,), Window())
        shape = self.stages[source].shape if source in self.stages else self.inputs[int(source.removeprefix("input_"))]
        self._replace(name, shape=Shape(shape.rows, shape.columns, 1), dtype=str(variable.ty.dtype))

    def _turn(self, variable: Any, call: Any) -> None:
        """An NCHW input of the chain, turned: the load stage reads it as it is. NHWC turned for an argmax stays."""
        name = self.owner[call.args[0]]
        if self.kind == "mask" and [int(axis) for axis in call.attrs.axes or ()] == [0, 3, 1, 2]:
            self.owner[variable] = name
            return
        if not name.startswith("input_") or [int(axis) for axis in call.attrs.axes or ()] != [0, 2, 3, 1]:
            raise CompilerError(f"{call} in a {self.kind} chain does not turn an NCHW input")
        index = int(name.removeprefix("input_"))
        self.inputs[index], self.orders[index] = to_shape(shape_of(variable)), Order.NCHW
        self.owner[variable] = name

    def _scalar(self, call: Any) -> float:
        value = constant_value(call.args[1])
        if value is None or value.size != 1:
            raise CompilerError(f"the bound of {call} is not a scalar constant")
        return float(value.reshape(()))

    def _replace(self, name: str, **changes: Any) -> None:
        self.stages[name] = replace(self.stages[name], **changes)

    def _add_stage(self, variable: Any, kind: StageKind, sources: tuple[str, ...], window: Window) -> str:
        count = sum(1 for stage in self.stages.values() if stage.kind is kind)
        name = str(kind) if not count else f"{kind}_{count + 1}"
        self.stages[name] = Stage(name, kind, sources, to_shape(shape_of(variable)), window)
        self.owner[variable] = name
        return name

    def _add_convolution(self, variable: Any, call: Any) -> None:
        weight = constant_value(call.args[1])
        if weight is None:
            raise CompilerError(f"the weight of {call} is not constant")
        attributes = call.attrs
        top, left, bottom, right = (int(value) for value in attributes.padding)
        window = Window(
            kernel=(weight.shape[1], weight.shape[2]),
            stride=(int(attributes.strides[0]), int(attributes.strides[1])),
            dilation=(int(attributes.dilation[0]), int(attributes.dilation[1])),
            padding=((top, bottom), (left, right)),
        )
        kind = self._convolution_kind(int(attributes.groups), window)
        name = self._add_stage(variable, kind, (self.owner[call.args[0]],), window)
        self.weights[name] = (weight.transpose(1, 2, 3, 0), np.zeros(weight.shape[0], np.float32))

    def _convolution_kind(self, groups: int, window: Window) -> StageKind:
        if groups > 1:
            return StageKind.DEPTHWISE
        if window.taps > 1:
            return StageKind.STEM if self.kind == "stem" and not self.stages else StageKind.CONV
        if self.kind not in ("bottleneck", "stem"):
            return StageKind.POINTWISE
        before = any(stage.kind is StageKind.DEPTHWISE for stage in self.stages.values())
        return StageKind.PROJECT if before else StageKind.EXPAND

    def _add_dense(self, variable: Any, call: Any) -> None:
        weight = constant_value(call.args[1])
        if weight is None:
            raise CompilerError(f"the weight of {call} is not constant")
        name = self._add_stage(variable, StageKind.DENSE, (self.owner[call.args[0]],), Window())
        self.weights[name] = (weight[None, None], np.zeros(weight.shape[1], np.float32))

    def _add_sum(self, variable: Any, call: Any) -> None:
        bias = constant_value(call.args[1])
        if bias is None:
            names = [self.owner[argument] for argument in call.args]
            stage_first = sorted(names, key=lambda name: name.startswith("input_"))
            self._add_stage(variable, StageKind.ADD, tuple(stage_first), Window())
            return
        name = self.owner[variable] = self.owner[call.args[0]]
        taps, _ = self.weights[name]
        self.weights[name] = (taps, bias.reshape(-1).astype(np.float32))


def to_shape(extents: tuple[int, ...]) -> Shape:
    """Return the NHWC shape of batch 1; a vector is one pixel."""
    if len(extents) == 4:
        return Shape(extents[1], extents[2], extents[3])
    return Shape(1, 1, extents[-1])
