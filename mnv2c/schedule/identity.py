"""What makes two chains, or two networks, the same: their structure as plain data, and a short name made from it.

Nothing in it depends on names, on weights, or on whether a result is written over its input.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from mnv2c.errors import ScheduleError
from mnv2c.plan.chain import Activation, Chain, Order, Shape, Stage, StageKind, Window, input_name
from mnv2c.plan.resampling import Coordinates

if TYPE_CHECKING:
    from mnv2c.plan.network import Network, Node

DIGITS = 16
"""Of an identity: with 64 bits two of a million chains are alike by chance once in 37 million times."""
WINDOW = ("kernel", "stride", "dilation", "padding")


def describe(chain: Chain) -> dict[str, Any]:
    """Return the structure of ``chain`` as JSON-compatible data, from which `restore` makes an equal one.

    Values have numbers: the inputs' come first, then the stages'. What a kernel copies into rings before it begins
    (``load`` stages) is left out.
    """
    numbers = {input_name(index): index for index in range(len(chain.inputs))}
    stages: list[dict[str, Any]] = []
    for stage in chain.stages:
        if stage.kind is StageKind.LOAD:
            numbers[stage.name] = numbers[stage.sources[0]]
            continue
        numbers[stage.name] = len(chain.inputs) + len(stages)
        stages.append(_stage(stage, [numbers[source] for source in stage.sources]))
    planar = [index for index in range(len(chain.inputs)) if chain.is_planar(input_name(index))]
    return {
        "inputs": [_extents(shape) for shape in chain.inputs],
        **({"planar": planar} if planar else {}),
        "stages": stages,
        "outputs": [numbers[name] for name in chain.outputs],
    }


def _stage(stage: Stage, sources: list[int]) -> dict[str, Any]:
    """What differs from the defaults of a stage is left out."""
    entry: dict[str, Any] = {"kind": str(stage.kind), "from": sources, "shape": _extents(stage.shape)}
    for name in WINDOW:
        if getattr(stage.window, name) != getattr(Window(), name):
            entry[name] = _lists(getattr(stage.window, name))
    if stage.activation is not None:
        low, high = stage.activation.low, stage.activation.high
        entry["clamp"] = [None if low == -inf else low, None if high == inf else high]
    if stage.coordinates is not None:
        entry["coordinates"] = str(stage.coordinates)
    if stage.dtype != "float32":
        entry["dtype"] = stage.dtype
    return entry


def _extents(shape: Shape) -> list[int]:
    return [shape.rows, shape.columns, shape.channels]


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def digest(described: Mapping[str, Any]) -> str:
    """Return the identity of what `describe` returned: hexadecimal digits, the same in every process."""
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def chain_id(chain: Chain) -> str:
    """Return the identity of ``chain``; chains that differ in names or in being in place have the same."""
    return digest(describe(chain))


def restore(described: Mapping[str, Any]) -> Chain:
    """Return the chain that `describe` described, not in place, with names of its own; ScheduleError for what is none.

    Stages are called by their kinds, as in a network: ``depthwise``, ``depthwise_2``.
    """
    try:
        return _restore(described)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ScheduleError(f"chain: not a description of one: {type(error).__name__}: {error}") from None


def _restore(described: Mapping[str, Any]) -> Chain:
    inputs = tuple(Shape(*extents) for extents in described["inputs"])
    names = [input_name(index) for index in range(len(inputs))]
    counts: dict[StageKind, int] = {}
    stages: list[Stage] = []
    for entry in described["stages"]:
        kind = StageKind(entry["kind"])
        counts[kind] = counts.get(kind, 0) + 1
        name = str(kind) if counts[kind] == 1 else f"{kind}_{counts[kind]}"
        sources = tuple(names[number] for number in entry["from"])
        stages.append(_restored(name, kind, sources, entry))
        names.append(name)
    planar = described.get("planar", [])
    orders = tuple(Order.NCHW if index in planar else Order.NHWC for index in range(len(inputs)))
    outputs = tuple(names[number] for number in described["outputs"])
    return Chain("chain", inputs, tuple(stages), outputs, input_orders=orders if planar else ())


def _restored(name: str, kind: StageKind, sources: Sequence[str], entry: Mapping[str, Any]) -> Stage:
    clamp = None
    if "clamp" in entry:
        low, high = entry["clamp"]
        clamp = Activation(-inf if low is None else low, inf if high is None else high)
    return Stage(
        name,
        kind,
        tuple(sources),
        Shape(*entry["shape"]),
        Window(**{key: _tuples(entry[key]) for key in WINDOW if key in entry}),
        clamp,
        Coordinates(entry["coordinates"]) if "coordinates" in entry else None,
        entry.get("dtype", "float32"),
    )


def network_id(network: Network) -> str:
    """Return the identity of a network whose nodes are not joined yet: what runs in which order, and who reads what."""
    numbers: dict[str, int] = {}
    for name in (*network.inputs, *(name for node in network.nodes for name in node.outputs)):
        numbers.setdefault(name, len(numbers))
    homes = {
        str(number): [numbers.get(network.owner(name), -1), network.tensors[name].offset]
        for name, number in numbers.items()
        if network.owner(name) != name
    }
    return digest(
        {
            "inputs": [_tensor(network, name) for name in network.inputs],
            "nodes": [_node(network, node, numbers) for node in network.nodes],
            "outputs": [numbers.get(name, -1) for name in network.outputs],
            "parts": homes,
        }
    )


def _node(network: Network, node: Node, numbers: Mapping[str, int]) -> dict[str, Any]:
    inputs = [
        numbers.get(value, -1) if isinstance(value, str) else [str(value.dtype), *value.shape] for value in node.inputs
    ]
    chain = getattr(node, "chain", None)
    what = {"operator": getattr(node, "operator", "")} if chain is None else {"chain": describe(chain)}
    return {**what, "inputs": inputs, "outputs": [_tensor(network, name) for name in node.outputs]}


def _tensor(network: Network, name: str) -> list[Any]:
    tensor = network.tensors[name]
    return [tensor.dtype, *tensor.shape]
