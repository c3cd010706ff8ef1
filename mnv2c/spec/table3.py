"""Table 3 of the paper (section 5): what must be materialised at each resolution, beside what really is."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from mnv2c.spec.channels import scaled
from mnv2c.spec.layer import Layer
from mnv2c.spec.layers import layers
from mnv2c.spec.memory import bottleneck_graph
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.table2 import STEM_STRIDE

BYTES_PER_ELEMENT = 2  # the paper assumes 16-bit activations
POOLED = 0  # stands for the reduction of the tensors behind the pooling


class Printed(NamedTuple):
    """A cell of the paper: most channels, and KB (None where the paper says O(1))."""

    channels: int
    kilobytes: int | None


class PrintedLine(NamedTuple):
    """A line of the paper, by how much its resolution is smaller than the image's (224)."""

    reduction: int
    mobilenet_v1: Printed
    mobilenet_v2: Printed
    shufflenet: Printed  # 2x, g = 3


TABLE3: tuple[PrintedLine, ...] = (
    PrintedLine(2, Printed(1, None), Printed(1, None), Printed(1, None)),
    PrintedLine(4, Printed(128, 800), Printed(32, 200), Printed(48, 300)),
    PrintedLine(8, Printed(256, 400), Printed(64, 100), Printed(400, 600)),
    PrintedLine(16, Printed(512, 200), Printed(160, 62), Printed(800, 310)),
    PrintedLine(32, Printed(1024, 199), Printed(320, 32), Printed(1600, 156)),
    PrintedLine(POOLED, Printed(1024, 2), Printed(1280, 2), Printed(1600, 3)),
)
TABLE3_MAXIMUM = {"mobilenet_v1": 800, "mobilenet_v2": 200, "shufflenet": 600}


@dataclass(frozen=True)
class Tensor:
    """A tensor of (height, width, channels) and the layer that makes it."""

    layer: str
    shape: tuple[int, int, int]

    @property
    def bytes(self) -> int:
        """Size with the paper's 16-bit activations."""
        return prod(self.shape) * BYTES_PER_ELEMENT


@dataclass(frozen=True)
class Line:
    """One resolution: the paper's cell for width 1 at 224, the formula behind it, and the largest real tensor.

    The formula takes Table 2's output channels at its *input* resolution; it is None at half the image's
    resolution, where the paper has O(1), and where no line of Table 2 has that input.
    """

    reduction: int
    size: tuple[int, int]
    paper: Printed | None
    formula: Tensor | None
    real: Tensor


def table3(spec: ModelSpec) -> tuple[Line, ...]:
    """Return a line per resolution at which a tensor passes from one operation to the next."""
    reductions = _reductions(spec)
    by_name = {layer.name: layer for layer in layers(spec)}
    tensors = [Tensor(name, by_name[name].output_shape) for name in bottleneck_graph(spec).sizes]
    printed = {line.reduction: line.mobilenet_v2 for line in TABLE3}
    lines = []
    for reduction in dict.fromkeys(reductions[tensor.layer] for tensor in tensors):
        real = max((t for t in tensors if reductions[t.layer] == reduction), key=lambda tensor: tensor.bytes)
        formula = _formula(spec, reduction, reductions)
        lines.append(Line(reduction, real.shape[:2], printed.get(reduction), formula, real))
    return tuple(lines)


def _reductions(spec: ModelSpec) -> dict[str, int]:
    """How much smaller than the image each layer's output is; POOLED behind the pooling."""
    reductions: dict[str, int] = {}
    for layer in layers(spec):
        before = reductions[layer.inputs[0]] if layer.inputs else 1
        reductions[layer.name] = POOLED if layer.kind == "pool" else before * layer.stride[0]
    return reductions


def _formula(spec: ModelSpec, reduction: int, reductions: dict[str, int]) -> Tensor | None:
    """The largest of Table 2's lines whose input has this reduction, sized by its output channels."""
    network = {layer.name: layer for layer in layers(spec)}
    if reduction == POOLED:
        return Tensor("head.pool", network["head.pool"].output_shape)
    if reduction == STEM_STRIDE:
        return None
    candidates = [
        Tensor(f"block_{number}", (*source.output_shape[:2], channels))
        for number, channels, source in _line_inputs(spec, network)
        if reductions[source.name] == reduction
    ]
    return max(candidates, key=lambda tensor: tensor.bytes, default=None)


def _line_inputs(spec: ModelSpec, network: dict[str, Layer]) -> list[tuple[int, int, Layer]]:
    """For each line of Table 2: the number of its first block, its output channels, the layer that feeds it."""
    lines, number = [], 1
    for row in spec.rows:
        first = next(layer for layer in network.values() if layer.name.startswith(f"block_{number}."))
        lines.append((number, scaled(row.c, spec.width), network[first.inputs[0]]))
        number += row.n
    return lines
