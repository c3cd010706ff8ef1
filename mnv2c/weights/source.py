"""What an importer is made of: a table of names and the conventions its weights were trained with. No code per source.

A rule says how one source calls the layers of one role. The roles are ``stem``, ``plain.depthwise`` and
``plain.project`` (a block without expansion, t = 1), ``expanded.expand``, ``expanded.depthwise`` and
``expanded.project``; ``head.pointwise`` and ``head.dense``; of detectors ``extra.squeeze``, ``extra.depthwise``,
``extra.pointwise`` and ``extra.regular``, ``boxes.depthwise`` and ``boxes.predict``, ``boxes.alone`` (a 1x1 prediction
without a depthwise layer before it) and the same of ``scores``; of segmenters the layers' own names, ``head.image`` and
so on. Names may hold these placeholders:

- ``{layer}``: our own name of the layer, such as ``block_2.expand``;
- ``{block}``: the block's number from 1; ``{previous}`` from 0; ``{earlier}`` from -1;
- ``{line}`` and ``{repeat}``: the line of Table 2 and the block's place in it, both from 0;
- ``{after}``: the number of the first layer behind the last block, blocks counting from 1; ``{behind}`` one more;
- ``{index}``: the number of the extra layer or of the feature map, from 0; ``{next}``: of the extra layer, from 2;
- ``{inner}`` and ``{outer}``: the channels of an extra layer, between its convolutions and behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mnv2c.errors import WeightsError
from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.weights.names import BN_FIELDS
from mnv2c.weights.places import places

Names = dict[str, str]
"""Our name of a tensor -> the source's."""

TORCH_BATCH_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
"""How every PyTorch module calls what batch normalisation holds."""


class Rule(NamedTuple):
    """The layers of ``role`` are called ``convolution``, and their batch normalisation ``norm``.

    With ``biased`` the convolution has a bias though batch normalisation follows.
    """

    role: str
    convolution: str
    norm: str = ""
    biased: bool = False


class Storage(NamedTuple):
    """How a framework calls and stores a layer's tensors.

    ``axes`` and ``depthwise_axes`` say for each of our axes (out, in, row, column) which of the stored ones it is.
    """

    weight: str = ".weight"
    depthwise: str = ".weight"
    bias: str = ".bias"
    batch_norm: str = ".{0}"
    axes: tuple[int, ...] = (0, 1, 2, 3)
    depthwise_axes: tuple[int, ...] = (0, 1, 2, 3)


PYTORCH = Storage()
SLIM = Storage("/weights", "/depthwise_weights", "/biases", "/{0}", (3, 2, 0, 1), (2, 3, 0, 1))
"""TensorFlow's Slim: HWIO, and (row, column, channel, 1) for depthwise convolutions."""
SLIM_BATCH_NORM = {"gamma": "gamma", "beta": "beta", "mean": "moving_mean", "variance": "moving_variance"}


@dataclass(frozen=True)
class Source:
    """Where weights come from: what tensors are called there, and what the network must be for them to mean anything.

    ``conventions`` are values of the spec. ``classes`` is the number that the published weights have, of which the
    first ``class_offset`` are not ImageNet's. ``preprocessing`` is what ``mnv2c.pictures.image.Preprocessing`` reads,
    and ``fit``: "crop", "stretch" or "letterbox". ``absent`` are layers that the source's network never has, though the
    spec may ask for them. Tensors whose names end in ``ignored`` or begin with ``unused`` are not read.
    """

    name: str
    title: str
    rules: tuple[Rule, ...]
    families: tuple[str, ...] = ("classifier",)
    conventions: Mapping[str, Any] = field(default_factory=dict)
    batch_norm: Mapping[str, str] = field(default_factory=lambda: TORCH_BATCH_NORM)
    storage: Storage = PYTORCH
    ignored: tuple[str, ...] = (".num_batches_tracked",)
    unused: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    classes: int | None = None
    class_offset: int = 0
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""


def names(source: Source, spec: ModelSpec) -> Names:
    """Return the source's name of every tensor of the model, in execution order; WeightsError as ``check_model``."""
    found: Names = {}
    for layer, rule, values in _ruled(source, spec):
        found |= _layer_names(layer, rule, values, source)
    return found


def biases(source: Source, spec: ModelSpec) -> Names:
    """Return the source's name of every bias that batch normalisation follows, by our name of that one's mean."""
    return {
        f"{layer.name}.bn.mean": f"{rule.convolution.format_map(values)}{source.storage.bias}"
        for layer, rule, values in _ruled(source, spec)
        if rule.biased
    }


def axes(source: Source, spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Return how every convolution's weight is stored: for each of our axes the source's."""
    storage = source.storage
    return {
        f"{layer.name}.weight": storage.depthwise_axes if layer.kind == "depthwise" else storage.axes
        for layer in layers(spec)
        if len(layer.weight_shape) == 4
    }


def _ruled(source: Source, spec: ModelSpec) -> Iterator[tuple[Layer, Rule, Mapping[str, Any]]]:
    """Every layer with weights, its rule and the values of the placeholders."""
    rules = {rule.role: rule for rule in source.rules}
    placed = places(spec)
    for layer in layers(spec):
        if layer.weight_shape:
            role, values = placed[layer.name]
            if role not in rules:
                raise WeightsError(f"{spec.name}: has the layer {layer.name}, which {source.title} never has")
            yield layer, rules[role], values


def check_model(source: Source, spec: ModelSpec) -> None:
    """Raise WeightsError for a model with layers that the source's network cannot have."""
    for layer in layers(spec):
        if layer.name in source.absent:
            raise WeightsError(f"{spec.name}: has the layer {layer.name}, which {source.title} never has")
    called: dict[str, str] = {}
    for ours, theirs in names(source, spec).items():
        if called.setdefault(theirs, ours) != ours:
            raise WeightsError(f"{spec.name}: has {ours}, but {source.title} has only {called[theirs]}")


def _layer_names(layer: Layer, rule: Rule, values: Mapping[str, Any], source: Source) -> Names:
    convolution, storage = rule.convolution.format_map(values), source.storage
    weight = storage.depthwise if layer.kind == "depthwise" else storage.weight
    found = {f"{layer.name}.weight": f"{convolution}{weight}"}
    if layer.has_batch_norm:
        norm = rule.norm.format_map(values)
        for ours in BN_FIELDS:
            found[f"{layer.name}.bn.{ours}"] = norm + storage.batch_norm.format(source.batch_norm[ours])
    else:
        found[f"{layer.name}.bias"] = f"{convolution}{storage.bias}"
    return found
