"""What an importer is made of: a table of names and the conventions its weights were trained with. No code per source.

A rule says how one source calls the layers of one role. The roles are ``stem``, ``plain.depthwise`` and
``plain.project`` (a block without expansion, t = 1), ``expanded.expand``, ``expanded.depthwise`` and
``expanded.project``, ``head.pointwise`` and ``head.dense``. Names may hold these placeholders:

- ``{layer}``: our own name of the layer, such as ``block_2.expand``;
- ``{block}``: the block's number from 1; ``{earlier}``: the same from -1;
- ``{line}`` and ``{repeat}``: the line of Table 2 and the block's place in it, both from 0;
- ``{after}``: the number of the first layer behind the last block, blocks counting from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mnv2c.errors import WeightsError
from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.weights.names import BN_FIELDS

Names = dict[str, str]
"""Our name of a tensor -> the source's."""

TORCH_BATCH_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
"""How every PyTorch module calls what batch normalisation holds."""


class Rule(NamedTuple):
    """The layers of ``role`` are called ``convolution``, and their batch normalisation ``norm``."""

    role: str
    convolution: str
    norm: str = ""


@dataclass(frozen=True)
class Source:
    """Where weights come from: what tensors are called there, and what the network must be for them to mean anything.

    ``conventions`` are values of the spec. ``classes`` is the number that the published weights have, of which the
    first ``class_offset`` are not ImageNet's. ``preprocessing`` is what ``mnv2c.image.Preprocessing`` reads.
    ``absent`` are layers that the source's network never has, though the spec may ask for them.
    """

    name: str
    title: str
    rules: tuple[Rule, ...]
    conventions: Mapping[str, Any] = field(default_factory=dict)
    batch_norm: Mapping[str, str] = field(default_factory=lambda: TORCH_BATCH_NORM)
    ignored: tuple[str, ...] = (".num_batches_tracked",)
    absent: tuple[str, ...] = ()
    classes: int | None = None
    class_offset: int = 0
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""


def names(source: Source, spec: ModelSpec) -> Names:
    """Return the source's name of every tensor of the model, in execution order."""
    rules = {rule.role: rule for rule in source.rules}
    places = _places(spec)
    found: Names = {}
    for layer in layers(spec):
        if layer.weight_shape:
            role, place = places[layer.name]
            found |= _layer_names(layer, rules[role], place | {"layer": layer.name}, source.batch_norm)
    return found


def check_model(source: Source, spec: ModelSpec) -> None:
    """Raise WeightsError for a model with layers that the source's network cannot have."""
    for layer in layers(spec):
        if layer.name in source.absent:
            raise WeightsError(f"{spec.name}: has the layer {layer.name}, which {source.title} never has")
    called: dict[str, str] = {}
    for ours, theirs in names(source, spec).items():
        if called.setdefault(theirs, ours) != ours:
            raise WeightsError(f"{spec.name}: has {ours}, but {source.title} has only {called[theirs]}")


def _layer_names(layer: Layer, rule: Rule, place: Mapping[str, Any], batch_norm: Mapping[str, str]) -> Names:
    convolution = rule.convolution.format_map(place)
    found = {f"{layer.name}.weight": f"{convolution}.weight"}
    if layer.has_batch_norm:
        norm = rule.norm.format_map(place)
        found |= {f"{layer.name}.bn.{ours}": f"{norm}.{batch_norm[ours]}" for ours in BN_FIELDS}
    else:
        found[f"{layer.name}.bias"] = f"{convolution}.bias"
    return found


def _places(spec: ModelSpec) -> dict[str, tuple[str, dict[str, int]]]:
    """Return the role and the placeholders' values of every layer with weights."""
    lines = [(line, repeat) for line, row in enumerate(spec.rows) for repeat in range(row.n)]
    present = {layer.name for layer in layers(spec)}
    after = {"after": len(lines) + 1}
    places: dict[str, tuple[str, dict[str, int]]] = {
        name: (name, after) for name in ("stem", "head.pointwise", "head.dense")
    }
    for block, (line, repeat) in enumerate(lines, start=1):
        kind = "expanded" if f"block_{block}.expand" in present else "plain"
        values = {"block": block, "earlier": block - 2, "line": line, "repeat": repeat}
        for part in ("expand", "depthwise", "project"):
            places[f"block_{block}.{part}"] = (f"{kind}.{part}", values)
    return places
