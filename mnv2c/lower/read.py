"""Read the fused Relax module into a `Network`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mnv2c.errors import CompilerError, OnnxError
from mnv2c.lower.stages import read_chain
from mnv2c.passes.base import bindings, constant_value, is_call, shape_of
from mnv2c.passes.outline import ATTRIBUTE
from mnv2c.passes.place_concatenations import PLACEMENT
from mnv2c.passes.products import multiply_adds
from mnv2c.plan.chain import Chain, StageKind
from mnv2c.plan.network import Array, ChainNode, FallbackNode, Network, Node, Tensor


def read_network(
    module: Any,
    names: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    orders: Mapping[str, str] | None = None,
) -> Network:
    """Read ``main``: calls of fused functions are chains, ``call_tir`` are fallbacks, reshapes are other names.

    ``names`` maps variables to ONNX tensors, ``shapes`` those to their shapes; ``inputs`` and ``outputs`` are the
    network's own names, ``orders`` their "NCHW" or "NHWC". Raises OnnxError for a network whose shapes are not static.
    """
    network = _NetworkReader(module, names, shapes).read(inputs, outputs)
    ordered = {name: replace(network.tensors[name], order=order) for name, order in (orders or {}).items()}
    return replace(network, tensors={**network.tensors, **ordered})


class _NetworkReader:
    def __init__(self, module: Any, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.module, self.names, self.shapes = module, names, shapes
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.owner: dict[Any, str] = {}
        self.labels: dict[str, int] = {}
        self.tuples: dict[Any, Any] = {}
        self.madds: dict[str, int] = {}
        self.public: frozenset[str] = frozenset()

    def read(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Network:
        main = self.module["main"]
        self.public = frozenset((*inputs, *outputs))
        for parameter, name in zip(main.params, inputs, strict=True):
            self.owner[parameter] = self._add_tensor(name, parameter)
            self.tensors[name] = replace(self.tensors[name], onnx_name=name)
        for binding in bindings(main):
            self._read(binding.var, binding.value)
        values = self._outputs(main.body.body)
        renamed = {self.owner[value]: name for value, name in zip(values, outputs, strict=True)}
        if len(renamed) != len(values) or set(renamed) & set(inputs):
            raise OnnxError("two outputs of the network are the same tensor, or one is an input; remove the duplicate")
        shapes = {name: shape_of(value) for name, value in zip(outputs, values, strict=True)}
        return self._renamed(renamed, shapes, inputs)

    def _outputs(self, result: Any) -> list[Any]:
        """Return the variables of the network's outputs: several of them are a tuple, which may have a name."""
        fields = getattr(result, "fields", None) or self.tuples.get(result)
        return [result] if fields is None else list(fields)

    def _renamed(self, renamed: dict[str, str], shapes: dict[str, tuple[int, ...]], inputs: tuple[str, ...]) -> Network:
        """Give the outputs their public names and shapes."""
        tensors = {}
        for key, tensor in self.tensors.items():
            name = renamed.get(key, key)
            public = Tensor(name, shapes.get(name, tensor.shape), tensor.dtype, onnx_name=name)
            home = renamed.get(tensor.home, tensor.home)
            tensors[name] = public if key in renamed else replace(tensor, home=home)

        def new(names: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(renamed.get(name, name) if isinstance(name, str) else name for name in names)

        nodes: list[Node] = []
        for node in self.nodes:
            nodes.append(replace(node, inputs=new(node.inputs), outputs=new(node.outputs)))
        return Network(tensors, tuple(nodes), inputs, tuple(renamed.values()))

    def _add_tensor(self, name: str, variable: Any, onnx_layout: str = "same") -> str:
        try:
            shape = shape_of(variable)
        except (TypeError, AttributeError, ValueError):
            raise OnnxError(f"tensor {name} has no static shape; fix every dimension of the model's inputs") from None
        self.tensors[name] = Tensor(name, shape, str(variable.ty.dtype), onnx_layout=onnx_layout)
        return name

    def _read(self, variable: Any, value: Any) -> None:
        function = self.module[value.op] if hasattr(value, "op") and value.op in self.module.functions else None
        if value in self.owner:
            self.owner[variable] = self.owner[value]
        elif is_call(value, "relax.reshape"):
            self.owner[variable] = self.owner[value.args[0]]
        elif function is not None and function.attrs.get(ATTRIBUTE) == PLACEMENT:
            self._read_placement(variable, value, function)
        elif function is not None and ATTRIBUTE in function.attrs:
            self._read_chain(variable, value, function)
        elif is_call(value, "relax.call_tir"):
            self._read_fallback(variable, value)
        elif hasattr(value, "tuple_value"):
            self.owner[variable] = self.owner[value.tuple_value, value.index]
            self._name_tensor(self.owner[variable], variable)
        elif hasattr(value, "fields"):
            self.tuples[variable] = value.fields
        else:
            raise CompilerError(f"main holds {value}, which is neither a chain nor a fallback")

    def _read_chain(self, variable: Any, call: Any, function: Any) -> None:
        chain, weights = read_chain(function, str(function.attrs[ATTRIBUTE]))
        label = self._label(chain)
        results = _main_first(self._results(variable, label, "NCHW"))
        self.nodes.append(ChainNode(label, chain, weights, self._inputs(call.args), results))

    def _read_placement(self, variable: Any, call: Any, function: Any) -> None:
        """A tensor whose parts others leave: what they leave lies in it, one behind the other."""
        home = self.owner[variable] = self._add_tensor(self._own_name(self._number(PLACEMENT)), variable)
        self._name_tensor(home, variable)
        offset = 0
        for name in _placed(function, self._inputs(call.args)):
            self.tensors[name] = replace(self.tensors[name], home=home, offset=offset)
            offset += self.tensors[name].bytes

    def _results(self, variable: Any, label: str, onnx_layout: str) -> tuple[str, ...]:
        """Add the tensors a call leaves, in the order of the call's results."""
        fields = list(variable.ty.fields) if hasattr(variable.ty, "fields") else None
        if fields is None:
            name = self.owner[variable] = self._add_tensor(self._own_name(label), variable, onnx_layout)
            self._name_tensor(name, variable)
            return (name,)
        names = []
        for index, field in enumerate(fields):
            name = self._own_name(label if index == len(fields) - 1 else f"{label}.side_{index}")
            shape = tuple(int(extent) for extent in field.shape.values)
            self.tensors[name] = Tensor(name, shape, str(field.dtype), onnx_layout=onnx_layout)
            self.owner[variable, index] = name
            names.append(name)
        return tuple(names)

    def _own_name(self, label: str) -> str:
        """Return a name for a tensor that a step makes: its label, unless an input, an output or another has that.

        Keras calls the output of its last layer `dense`, which is what the step before is called here.
        """
        name = label
        while name in self.public or name in self.tensors:
            name += ".result"
        return name

    def _name_tensor(self, name: str, variable: Any) -> None:
        """Note which ONNX tensor this one must equal, and how that is stored, if its shape tells.

        Chains compute NHWC; a fallback computes in the layout its operator was given, which a shape such as 8x8x8
        does not tell. Such a result is not compared.
        """
        tensor, onnx_name = self.tensors[name], self.names.get(variable.name, "")
        stored = self.shapes.get(onnx_name, tensor.shape)
        layouts = ["same"] if stored == tensor.shape else []
        if len(tensor.shape) == 4 and stored == tuple(tensor.shape[axis] for axis in (0, 3, 1, 2)):
            layouts = ["NCHW"] if tensor.onnx_layout == "NCHW" or not layouts else []
        if layouts:
            self.tensors[name] = replace(tensor, onnx_name=onnx_name, onnx_layout=layouts[0])

    def _read_fallback(self, variable: Any, call: Any) -> None:
        operator = str(call.args[0].name_hint)
        label = self._number(f"fallback_{operator}")
        arguments = call.args[1].fields if hasattr(call.args[1], "fields") else [call.args[1]]
        inputs: tuple[str | Array, ...] = self._inputs(arguments)
        function = self.module[call.args[0]]
        if operator not in self.madds:
            self.madds[operator] = multiply_adds(function)
        results = self._results(variable, label, "same")
        self.nodes.append(FallbackNode(label, operator, function, inputs, results, self.madds[operator]))

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


def _placed(function: Any, arguments: tuple[Any, ...]) -> list[str]:
    """Return the names of the tensors that a placement joins, in order."""
    owner: dict[Any, Any] = dict(zip(function.params, arguments, strict=True))
    for binding in bindings(function):
        value = binding.value
        if is_call(value, "relax.concat"):
            joined = owner.get(value.args[0], value.args[0])
            return [owner[field] for field in joined.fields]
        if is_call(value, "relax.reshape"):
            owner[binding.var] = owner[value.args[0]]
        else:
            owner[binding.var] = owner.get(value, value)
    raise CompilerError("a placement joins nothing; please report this")


def _main_first(names: tuple[str, ...]) -> tuple[str, ...]:
    """A chain's main result is the last of its function's results and the first of its kernel's."""
    return (names[-1], *names[:-1])
