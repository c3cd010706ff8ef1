"""Read the fused Relax module into a `Network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnv2c.errors import CompilerError, OnnxError
from mnv2c.passes.base import bindings, constant_value, is_call, shape_of
from mnv2c.passes.outline import ATTRIBUTE
from mnv2c.plan.chain import Chain, StageKind
from mnv2c.plan.network import Array, ChainNode, FallbackNode, Network, Node, Tensor
from mnv2c.plan.stages import read_chain


def read_network(module: Any, names: Mapping[str, str], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Network:
    """Read ``main``: calls of fused functions are chains, ``call_tir`` are fallbacks, reshapes are other names.

    ``names`` maps variables to ONNX tensors; ``inputs`` and ``outputs`` are the network's own names. Raises OnnxError
    for a network whose shapes are not static.
    """
    return _NetworkReader(module, names).read(inputs, outputs)


class _NetworkReader:
    def __init__(self, module: Any, names: Mapping[str, str]) -> None:
        self.module, self.names = module, names
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.owner: dict[Any, str] = {}
        self.labels: dict[str, int] = {}

    def read(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Network:
        main = self.module["main"]
        for parameter, name in zip(main.params, inputs, strict=True):
            self.owner[parameter] = self._add_tensor(name, parameter, name)
        for binding in bindings(main):
            self._read(binding.var, binding.value)
        result = main.body.body
        values = list(result.fields) if hasattr(result, "fields") else [result]
        renamed = {self.owner[value]: name for value, name in zip(values, outputs, strict=True)}
        if len(renamed) != len(values) or set(renamed) & set(inputs):
            raise OnnxError("two outputs of the network are the same tensor, or one is an input; remove the duplicate")
        return self._renamed(renamed, {name: shape_of(value) for name, value in zip(outputs, values, strict=True)}, inputs)

    def _renamed(self, renamed: dict[str, str], shapes: dict[str, tuple[int, ...]], inputs: tuple[str, ...]) -> Network:
        """Give the outputs their public names and shapes."""
        tensors = {}
        for key, tensor in self.tensors.items():
            name = renamed.get(key, key)
            onnx_name = name if key in renamed else tensor.onnx_name
            tensors[name] = Tensor(name, shapes.get(name, tensor.shape), tensor.dtype, onnx_name)

        def new(names: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(renamed.get(name, name) if isinstance(name, str) else name for name in names)

        nodes: list[Node] = []
        for node in self.nodes:
            if isinstance(node, ChainNode):
                nodes.append(ChainNode(node.label, node.chain, node.weights, new(node.inputs), new(node.outputs)))
            else:
                nodes.append(FallbackNode(node.label, node.operator, node.function, new(node.inputs), new(node.outputs)))
        return Network(tensors, tuple(nodes), inputs, tuple(renamed.values()))

    def _add_tensor(self, name: str, variable: Any, onnx_name: str) -> str:
        try:
            shape = shape_of(variable)
        except (TypeError, AttributeError, ValueError):
            raise OnnxError(f"tensor {name} has no static shape; fix every dimension of the model's inputs") from None
        self.tensors[name] = Tensor(name, shape, str(variable.ty.dtype), onnx_name)
        return name

    def _read(self, variable: Any, value: Any) -> None:
        function = self.module[value.op] if hasattr(value, "op") and value.op in self.module.functions else None
        if value in self.owner:
            self.owner[variable] = self.owner[value]
        elif is_call(value, "relax.reshape"):
            self.owner[variable] = self.owner[value.args[0]]
        elif function is not None and ATTRIBUTE in function.attrs:
            self._read_chain(variable, value, function)
        elif is_call(value, "relax.call_tir"):
            self._read_fallback(variable, value)
        elif hasattr(value, "tuple_value"):
            self.owner[variable] = self.owner[value.tuple_value, value.index]
            self._name_tensor(self.owner[variable], variable)
        else:
            raise CompilerError(f"main holds {value}, which is neither a chain nor a fallback")

    def _read_chain(self, variable: Any, call: Any, function: Any) -> None:
        chain, weights = read_chain(function, str(function.attrs[ATTRIBUTE]))
        label = self._label(chain)
        self.nodes.append(
            ChainNode(label, chain, weights, self._inputs(call.args), self._results(variable, label))
        )

    def _results(self, variable: Any, label: str) -> tuple[str, ...]:
        """Add the tensors a call leaves; a tuple's last field is the chain's main result and comes first."""
        fields = list(variable.ty.fields) if hasattr(variable.ty, "fields") else None
        if fields is None:
            self.owner[variable] = self._add_tensor(label, variable, self.names.get(variable.name, ""))
            return (label,)
        names = []
        for index, field in enumerate(fields):
            name = label if index == len(fields) - 1 else f"{label}.side_{index}"
            self.tensors[name] = Tensor(name, tuple(int(extent) for extent in field.shape.values), str(field.dtype))
            self.owner[variable, index] = name
            names.append(name)
        return (names[-1], *names[:-1])

    def _name_tensor(self, name: str, variable: Any) -> None:
        tensor = self.tensors[name]
        self.tensors[name] = Tensor(name, tensor.shape, tensor.dtype, self.names.get(variable.name, ""))

    def _read_fallback(self, variable: Any, call: Any) -> None:
        operator = str(call.args[0].name_hint)
        label = self._number(f"fallback_{operator}")
        arguments = call.args[1].fields if hasattr(call.args[1], "fields") else [call.args[1]]
        inputs: tuple[str | Array, ...] = self._inputs(arguments)
        function = self.module[call.args[0]]
        self.nodes.append(FallbackNode(label, operator, function, inputs, self._results(variable, label)))

    def _inputs(self, arguments: Any) -> tuple[Any, ...]:
        values = []
        for argument in arguments:
            constant = constant_value(argument)
            values.append(self.owner[argument] if constant is None else constant)
        return tuple(values)

    def _label(self, chain: Chain) -> str:
        """Number bottlenecks together, the one in the stem's chain being the first."""
        if chain.kind in ("stem", "bottleneck") and any(stage.kind is StageKind.DEPTHWISE for stage in chain.stages):
            number = self.labels["bottleneck"] = self.labels.get("bottleneck", 0) + 1
            return f"stem_bottleneck_{number:02d}" if chain.kind == "stem" else f"bottleneck_{number:02d}"
        return self._number(chain.kind)

    def _number(self, label: str) -> str:
        number = self.labels[label] = self.labels.get(label, 0) + 1
        return label if number == 1 else f"{label}_{number:02d}"
