"""Fused networks of zoo models with small images and random weights, read once per session."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind, Window
from mnv2c.plan.network import Network
from mnv2c.spec import Layer, ModelSpec, from_toml, layers, load, to_toml
from mnv2c.to_onnx import emit
from mnv2c.weights import expected
from tests.pipeline import fuse


@cache
def network(width: float, resolution: str, **changes: Any) -> Network:
    """The network of mobilenet_v2 with these changes; its weights are few different numbers, made in no time."""
    spec = changed(load("mobilenet_v2", width=width, resolution=resolution, classes=8), **changes)
    values = np.linspace(0.5, 1.5, 7, dtype=np.float32)
    weights = {name: np.resize(values, shape) for name, shape in expected(spec).items()}
    return fuse(emit(spec, weights))


def changed(spec: ModelSpec, **changes: Any) -> ModelSpec:
    """A spec with other fields, checked as a file would be."""
    return from_toml(to_toml(replace(spec, **changes)))


def chains_of(spec: ModelSpec) -> tuple[Chain, ...]:
    """The chains that the network of ``spec`` is read into: block by block, the stem in the first one's."""
    groups: dict[str, list[Layer]] = {}
    for layer in layers(spec):
        block = layer.name.split(".")[0]
        key = {"stem": "block_1", "head.dense": "dense"}.get(layer.name, block)
        groups.setdefault(key, []).append(layer)
    return tuple(_chain(group) for group in groups.values())


def _chain(group: list[Layer]) -> Chain:
    first = group[0]
    kind = {"stem": "stem", "pointwise": "head", "dense": "dense"}.get(first.kind, "bottleneck")
    stages: list[Stage] = []
    for layer in group:
        source = stages[-1].name if stages else "input_0"
        sources = (source, "input_0") if layer.kind == "add" else (source,)
        window = Window(layer.kernel, layer.stride, layer.dilation, layer.padding)
        clamp = RELU6 if layer.activation == "relu6" else None
        plain = layer.kind in ("add", "pool")
        shape = Shape(*layer.output_shape)
        stages.append(Stage(layer.kind, StageKind(layer.kind), sources, shape, Window() if plain else window, clamp))
    return Chain(kind, (Shape(*first.input_shape),), tuple(stages), (stages[-1].name,))
