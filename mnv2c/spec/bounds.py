"""The paper's memory bounds of a model in bytes, under the names that reports give them."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.dtypes import FLOAT32
from mnv2c.spec.memory import Peak, bottleneck_graph, layer_graph, local_peak
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.search import minimum_peak


@dataclass(frozen=True)
class Bound:
    """A memory bound of the paper's section 5, by the numbers of its equations, over ``graph``, reached ``at``."""

    equations: tuple[int, ...]
    graph: str
    bytes: int
    at: str


def bounds(spec: ModelSpec) -> tuple[Bound, ...]:
    """Return equations (1) and (2) with a bottleneck, and with a layer, as one operation, in float32."""
    blocks, every_layer = bottleneck_graph(spec), layer_graph(spec)
    return (
        *both("every bottleneck one operation", minimum_peak(blocks), local_peak(blocks), FLOAT32.bytes),
        *both("every layer one operation", minimum_peak(every_layer), local_peak(every_layer), FLOAT32.bytes),
    )


def both(graph: str, first: Peak, second: Peak, unit: int) -> tuple[Bound, ...]:
    """Return the bounds of both equations, as one where they are the same; elements take ``unit`` bytes."""
    if first == second:
        return (Bound((1, 2), graph, first.elements * unit, first.operation),)
    return tuple(
        Bound((number,), graph, peak.elements * unit, peak.operation)
        for number, peak in enumerate((first, second), start=1)
    )
