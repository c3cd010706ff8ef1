"""The memory bounds of the paper's section 5, equations (1) and (2), over any graph of operations.

Sizes are in elements. A tensor that ``Graph.sizes`` does not list (the image, the result) belongs to the caller and
counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from mnv2c.errors import CompilerError
from mnv2c.spec.layer import Layer
from mnv2c.spec.layers import layers
from mnv2c.spec.model import ModelSpec

IMAGE = "image"
JOINED: dict[str, dict[str, str]] = {  # layers of the head that are one operation with another
    "classifier": {"head.pointwise": "head.pool"},
    "detector": {},
    "segmenter": {"head.upsample": "mask"},
}


@dataclass(frozen=True)
class Operation:
    """One operation: the tensors it reads and writes, and ``internal``, |op|: the memory it needs for itself."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    internal: int = 0


@dataclass(frozen=True)
class Graph:
    """Operations in one legal order, and the size of every intermediate tensor."""

    operations: tuple[Operation, ...]
    sizes: Mapping[str, int]

    def total(self, tensors: set[str]) -> int:
        """Return the size of these tensors together."""
        return sum(self.sizes.get(tensor, 0) for tensor in tensors)


@dataclass(frozen=True)
class Peak:
    """The most memory needed at any one time, in elements, and the operation that needs it."""

    elements: int
    operation: str


def peak_of_order(graph: Graph, order: Sequence[Operation]) -> Peak:
    """Return the maximum of equation (1) for one order; raises CompilerError if the order is not legal.

    R(i) is read as the tensors that exist when operation i has run and that any of operations i to n reads or writes.
    """
    produced = {tensor for operation in order for tensor in operation.outputs}
    existing: set[str] = set()
    peaks: list[Peak] = []
    for index, operation in enumerate(order):
        if late := (set(operation.inputs) & produced) - existing:
            raise CompilerError(f"operation {operation.name} reads {min(late)} before it is written")
        existing.update(operation.inputs, operation.outputs)
        connected = {tensor for later in order[index:] for tensor in (*later.inputs, *later.outputs)}
        peaks.append(Peak(graph.total(existing & connected) + operation.internal, operation.name))
    return max(peaks, key=lambda peak: peak.elements)


def orders(graph: Graph) -> Iterator[tuple[Operation, ...]]:
    """Yield every legal order: exponentially many for wide graphs, one for a chain with shortcuts."""
    produced = {tensor for operation in graph.operations for tensor in operation.outputs}

    def extend(
        done: tuple[Operation, ...], waiting: tuple[Operation, ...], existing: frozenset[str]
    ) -> Iterator[tuple[Operation, ...]]:
        if not waiting:
            yield done
        for index, operation in enumerate(waiting):
            if set(operation.inputs) & produced <= existing:
                rest = waiting[:index] + waiting[index + 1 :]
                yield from extend((*done, operation), rest, existing.union(operation.outputs))

    return extend((), graph.operations, frozenset())


def local_peak(graph: Graph) -> Peak:
    """Return M(G) of equation (2): the operation with the largest inputs + outputs + |op|."""
    peaks = [
        Peak(graph.total({*operation.inputs, *operation.outputs}) + operation.internal, operation.name)
        for operation in graph.operations
    ]
    return max(peaks, key=lambda peak: peak.elements)


def layer_graph(spec: ModelSpec) -> Graph:
    """Every layer (with its normalisation and activation) as one operation: what an unfused runtime executes."""
    return _graph([(layer.name, [layer]) for layer in layers(spec)])


def bottleneck_graph(spec: ModelSpec) -> Graph:
    """Every bottleneck, extra layer and prediction as one operation, and the last 1x1 convolution with the pooling.

    |op| is one channel of the largest inner tensor: the paper's split with as many parts as channels.
    """
    joined = JOINED[spec.family]

    def operation_name(layer: Layer) -> str:
        group = layer.name.split(".")[0]
        return joined.get(layer.name, layer.name if group == "head" else group)

    return _graph([(name, list(group)) for name, group in groupby(layers(spec), key=operation_name)])


def _graph(groups: list[tuple[str, list[Layer]]]) -> Graph:
    """Make each group of consecutive layers one operation; what only the group itself reads is an inner tensor.

    A prediction writes into its place of the caller's result, so that it counts nothing.
    """
    readers: dict[str, set[str]] = {}
    placed = {source for _, group in groups for layer in group if layer.kind == "stack" for source in layer.inputs}
    for name, group in groups:
        for source in (source for layer in group for source in layer.inputs):
            readers.setdefault(source, set()).add(name)
    operations, sizes = [], {}
    for name, group in groups:
        own = {layer.name for layer in group}
        reads = dict.fromkeys(source for layer in group for source in layer.inputs or (IMAGE,) if source not in own)
        outer = [layer for layer in group if readers.get(layer.name, set()) - {name}] or group[-1:]
        inner = [prod(layer.output_shape[:2]) for layer in group if layer not in outer]
        sizes.update({layer.name: prod(layer.output_shape) for layer in outer if layer.name in readers.keys() - placed})
        outputs = tuple(layer.name for layer in outer)
        operations.append(Operation(name, tuple(reads), outputs, max(inner, default=0)))
    return Graph(tuple(operations), sizes)
