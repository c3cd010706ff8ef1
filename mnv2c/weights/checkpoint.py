"""A weights file of any known source: which one it is, the model as the weights need it, the tensors by our names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c.common.escape import quoted
from mnv2c.errors import SpecError, WeightsError, nearest
from mnv2c.spec import Description, ModelSpec
from mnv2c.spec.priors import CONVENTIONS as BOX_CONVENTIONS
from mnv2c.weights.card import Card, card_of, contradiction
from mnv2c.weights.files import TensorFile, open_safetensors
from mnv2c.weights.hf import HF, HF_SEGMENTER
from mnv2c.weights.names import Shape, Weights, check_shapes, check_values
from mnv2c.weights.own import OWN
from mnv2c.weights.pytorch import open_pth
from mnv2c.weights.qfgaohao import QFGAOHAO
from mnv2c.weights.random import random_weights
from mnv2c.weights.source import Names, Source, axes, biases, check_model, names
from mnv2c.weights.tf_object_detection import TF_OBJECT_DETECTION
from mnv2c.weights.timm import TIMM
from mnv2c.weights.torchvision import TORCHVISION, TORCHVISION_V1

SOURCES = {
    source.name: source
    for source in (OWN, TORCHVISION, TORCHVISION_V1, TIMM, HF, TF_OBJECT_DETECTION, QFGAOHAO, HF_SEGMENTER)
}
"""Every source by name; of two with the same tensor names the earlier one is recognised."""

OPENERS = {".pth": open_pth, ".pt": open_pth, ".bin": open_pth}  # every other suffix is safetensors
PREFIXES = ("module.",)  # what wrappers for parallel training put before every name
ALL_FIELDS = frozenset(ModelSpec.__dataclass_fields__)
CLASS_BIAS = {"classifier": "head.dense.bias", "detector": "scores_1.predict.bias", "segmenter": "head.classes.bias"}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights as float32 by our names, the model they are of, their source, and what they say of themselves."""

    spec: ModelSpec
    tensors: Weights
    source: Source
    card: Card | None = None

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How pictures are prepared for these weights, as far as that is known."""
        return dict(self.card.preprocessing if self.card else self.source.preprocessing)

    @property
    def class_offset(self) -> int:
        """How many classes come before the labels' first one; 0 where the classes are not the published ones."""
        return self.source.class_offset if self.spec.classes == self.source.classes else 0


def given_or_random(
    description: Description, path: str | Path | None, seed: int, source: str | None = None
) -> Checkpoint:
    """Return the weights of the file, or seeded random ones where there is none; raises WeightsError as ``load``."""
    if path is not None:
        return load(path, description.spec, stated=description.stated, source=source)
    if source is not None:
        raise WeightsError(f'weights source "{source}" is given, but no weights file')
    return Checkpoint(description.spec, random_weights(description.spec, seed), OWN)


def read(path: str | Path, spec: ModelSpec) -> Weights:
    """Read a file with our own names, as float32 in execution order; raises WeightsError naming file and tensor."""
    return load(path, spec, stated=ALL_FIELDS, source=OWN.name).tensors


def load(
    path: str | Path, spec: ModelSpec, *, stated: Collection[str] = ALL_FIELDS, source: str | None = None
) -> Checkpoint:
    """Read a weights file of the source of this name, or of the one that its tensor names tell.

    The fields of ``spec`` that are not ``stated`` take the source's values and the file's number of classes. Raises
    WeightsError for an unknown source, a stated field that contradicts it, or tensors that do not fit.
    """
    with OPENERS.get(Path(path).suffix, open_safetensors)(str(path)) as opened:
        file = _without_prefix(opened)
        card = card_of(file.metadata, file.path)
        if card is not None:
            spec, source = _as_trained(spec, card, source, file.path, stated), OWN.name
        chosen = _recognise(file, spec) if source is None else _named(source, spec)
        fitted = _conform(spec, chosen, file, stated)
        check_model(chosen, fitted)
        called = names(chosen, fitted)
        check_shapes(_shapes(file, chosen, fitted, called), fitted, file.path, called)
        tensors = _read(file, chosen, fitted, called)
    return Checkpoint(fitted, tensors, chosen, card)


def _shapes(file: TensorFile, source: Source, spec: ModelSpec, called: Names) -> dict[str, Shape]:
    """The shapes of the file's tensors in the order of our axes, without those that the network does not need."""
    turned = {called[ours]: order for ours, order in axes(source, spec).items()}
    extra = set(biases(source, spec).values())
    return {
        name: tuple(shape[axis] for axis in turned[name]) if name in turned and len(shape) == 4 else shape
        for name, shape in file.shapes.items()
        if not name.endswith(source.ignored) and not name.startswith(source.unused or (" ",)) and name not in extra
    }


def _read(file: TensorFile, source: Source, spec: ModelSpec, called: Names) -> Weights:
    """Read every tensor by our name and check its values."""
    turned, shifts = axes(source, spec), biases(source, spec)
    tensors: Weights = {}
    for ours, theirs in called.items():
        tensor = file.tensor(theirs)
        if ours in turned:
            tensor = np.ascontiguousarray(tensor.transpose(turned[ours]))
        check_values(ours, tensor, file.path, theirs)
        if ours in shifts:
            tensor = tensor - _bias(file, shifts[ours], tensor.shape)
        tensors[ours] = tensor
    return tensors


def _bias(file: TensorFile, name: str, shape: Shape) -> np.ndarray:
    """Read a bias that batch normalisation follows: it is as good as taken off the mean."""
    if tuple(file.shapes.get(name, ())) != shape:
        raise WeightsError(f"{file.path}: tensor {quoted(name)} of {shape[0]} values is missing")
    bias = file.tensor(name)
    check_values(name, bias, file.path)
    return bias


def _named(name: str, spec: ModelSpec) -> Source:
    if name not in SOURCES:
        raise WeightsError(f'unknown weights source "{name}"{nearest(name, SOURCES)}; sources: {", ".join(SOURCES)}')
    source = SOURCES[name]
    if spec.family not in source.families:
        raise WeightsError(
            f"{source.title} has no weights of a {spec.family}; sources: {', '.join(_sources(spec.family))}"
        )
    return source


def _sources(family: str) -> dict[str, Source]:
    return {name: source for name, source in SOURCES.items() if family in source.families}


def _recognise(file: TensorFile, spec: ModelSpec) -> Source:
    """Return the source with the most of its names in the file."""
    known = _sources(spec.family)
    found = {key: _count(file, source, spec) for key, source in known.items()}
    best = max(found, key=lambda key: found[key])
    if not found[best]:
        raise WeightsError(f"{file.path}: no tensor is named as in any known source: {', '.join(known)}")
    return SOURCES[best]


def _count(file: TensorFile, source: Source, spec: ModelSpec) -> int:
    """How many of the source's names the file has; 0 where the source cannot have this network."""
    try:
        return sum(name in file.shapes for name in names(source, replace(spec, **source.conventions)).values())
    except WeightsError:
        return 0


def _without_prefix(file: TensorFile) -> TensorFile:
    """Drop a wrapper's prefix that every name has."""
    prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in file.shapes)), "")
    return TensorFile(
        file.path,
        {name.removeprefix(prefix): shape for name, shape in file.shapes.items()},
        {name.removeprefix(prefix): dtype for name, dtype in file.dtypes.items()},
        lambda name: file.read(f"{prefix}{name}"),
        file.metadata,
    )


def _as_trained(spec: ModelSpec, card: Card, source: str | None, path: str, stated: Collection[str]) -> ModelSpec:
    """Give what is not stated of the spec the values that the weights' own description has."""
    if source not in (None, OWN.name):
        raise WeightsError(f"{path}: describes itself as {OWN.title}'s, but is to be read as those of {source}")
    if conflict := contradiction(card, spec, frozenset(stated)):
        raise WeightsError(f"{path}: {spec.name} is {conflict}; take weights or a description that fit")
    model = card.model()
    taken = {name: getattr(model, name) for name in ALL_FIELDS - {*stated, "name"}}
    return replace(spec, **taken)


def _conform(spec: ModelSpec, source: Source, file: TensorFile, stated: Collection[str]) -> ModelSpec:
    """Give the spec the source's conventions and the file's number of classes."""
    for field, value in source.conventions.items():
        mine = getattr(spec, field)
        if field in stated and mine != value:
            raise WeightsError(
                f"{file.path}: weights of {source.title} need {field} {value}, but {spec.name} states {mine}; "
                f"leave {field} out"
            )
    try:
        fitted = replace(spec, **source.conventions)
        return fitted if "classes" in stated else replace(fitted, classes=_classes(fitted, source, file))
    except SpecError as error:
        raise WeightsError(f"{file.path}: {error}") from None


def _classes(spec: ModelSpec, source: Source, file: TensorFile) -> int:
    """The file's number of classes, by the bias of what predicts them; the spec's where there is none."""
    shape = file.shapes.get(names(source, spec)[CLASS_BIAS[spec.family]], ())
    anchors = BOX_CONVENTIONS[spec.boxes].anchors_per_map[0] if spec.family == "detector" else 1
    return shape[0] // anchors if len(shape) == 1 else spec.classes
