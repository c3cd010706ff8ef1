"""The role of every layer with weights, and the values of the placeholders in a source's names for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnv2c.spec import Layer, ModelSpec, layers

Place = tuple[str, dict[str, Any]]


def places(spec: ModelSpec) -> dict[str, Place]:
    """Return (role, placeholder values) by layer; see ``mnv2c.weights.source`` for what they mean."""
    network = {layer.name: layer for layer in layers(spec) if layer.weight_shape}
    blocks = dict(_blocks(spec))
    after = {"after": len(blocks) + 1, "behind": len(blocks) + 2}
    return {name: _place(layer, network, blocks, after) for name, layer in network.items()}


def _blocks(spec: ModelSpec) -> Iterator[tuple[int, dict[str, int]]]:
    """The numbers of every block, from 1."""
    lines = [(line, repeat) for line, row in enumerate(spec.rows) for repeat in range(row.n)]
    for block, (line, repeat) in enumerate(lines, start=1):
        yield block, {"block": block, "previous": block - 1, "earlier": block - 2, "line": line, "repeat": repeat}


def _place(layer: Layer, network: dict[str, Layer], blocks: dict[int, dict[str, int]], after: dict[str, int]) -> Place:
    """A layer called ``group_number.part``, or one that is its own role."""
    group, _, part = layer.name.partition(".")
    kind, _, number = group.rpartition("_")
    values: dict[str, Any] = {"layer": layer.name, **after}
    if kind == "block":
        expanded = f"{group}.expand" in network
        return f"{'expanded' if expanded else 'plain'}.{part}", values | blocks[int(number)]
    if kind == "extra":
        parts = [other for name, other in network.items() if name.startswith(f"{group}.")]
        channels = {"inner": parts[0].output_shape[2], "outer": parts[-1].output_shape[2]}
        return f"extra.{part}", values | channels | {"index": int(number) - 1, "next": int(number) + 1}
    if kind in ("boxes", "scores"):
        alone = part == "predict" and layer.kind == "pointwise" and f"{group}.depthwise" not in network
        return f"{kind}.{'alone' if alone else part}", values | {"index": int(number) - 1}
    return layer.name, values
