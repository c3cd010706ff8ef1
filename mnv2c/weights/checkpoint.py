"""A weights file of any known source: which one it is, the model as the weights need it, the tensors by our names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnv2c.errors import SpecError, WeightsError, nearest
from mnv2c.spec import Description, ModelSpec
from mnv2c.weights.card import Card, card_of, contradiction
from mnv2c.weights.files import TensorFile, open_safetensors
from mnv2c.weights.hf import HF
from mnv2c.weights.names import Weights, check_shapes, check_values
from mnv2c.weights.own import OWN
from mnv2c.weights.pytorch import open_pth
from mnv2c.weights.random import random_weights
from mnv2c.weights.source import Source, check_model, names
from mnv2c.weights.timm import TIMM
from mnv2c.weights.torchvision import TORCHVISION, TORCHVISION_V1

SOURCES = {source.name: source for source in (OWN, TORCHVISION, TORCHVISION_V1, TIMM, HF)}
"""Every source by name; of two with the same tensor names the earlier one is recognised."""

OPENERS = {".pth": open_pth, ".pt": open_pth, ".bin": open_pth}  # every other suffix is safetensors
PREFIXES = ("module.",)  # what wrappers for parallel training put before every name
ALL_FIELDS = frozenset(ModelSpec.__dataclass_fields__)
CLASSIFIER = "head.dense.weight"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights as float32 by our names, the model they are of, where they come from, and what they say of themselves."""

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
        chosen = _recognise(file, spec) if source is None else _named(source)
        card = card_of(file.metadata, file.path)
        spec = _as_trained(spec, card, chosen, file, stated)
        fitted = _conform(spec, chosen, file, stated)
        called = names(chosen, fitted)
        found = {name: shape for name, shape in file.shapes.items() if not name.endswith(chosen.ignored)}
        check_model(chosen, fitted)
        check_shapes(found, fitted, file.path, called)
        tensors: Weights = {}
        for ours, theirs in called.items():
            tensors[ours] = file.tensor(theirs)
            check_values(ours, tensors[ours], file.path, theirs)
    return Checkpoint(fitted, tensors, chosen, card)


def _named(name: str) -> Source:
    if name not in SOURCES:
        raise WeightsError(f'unknown weights source "{name}"{nearest(name, SOURCES)}; sources: {", ".join(SOURCES)}')
    return SOURCES[name]


def _recognise(file: TensorFile, spec: ModelSpec) -> Source:
    """Return the source with the most of its names in the file."""
    found = {key: sum(name in file.shapes for name in names(source, spec).values()) for key, source in SOURCES.items()}
    best = max(found, key=lambda key: found[key])
    if not found[best]:
        raise WeightsError(f"{file.path}: no tensor is named as in any known source: {', '.join(SOURCES)}")
    return SOURCES[best]


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


def _as_trained(
    spec: ModelSpec, card: Card | None, source: Source, file: TensorFile, stated: Collection[str]
) -> ModelSpec:
    """Give what is not stated of the spec the values that the weights' own description has."""
    if card is None:
        return spec
    if source is not OWN:
        raise WeightsError(f"{file.path}: describes itself as {OWN.title}'s, but is read as {source.title}'s")
    if conflict := contradiction(card, spec, frozenset(stated)):
        raise WeightsError(f"{file.path}: {spec.name} is {conflict}; take weights or a description that fit")
    model = card.model()
    taken = {name: getattr(model, name) for name in ModelSpec.__dataclass_fields__ if name not in {*stated, "name"}}
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
    changes: dict[str, Any] = dict(source.conventions)
    classifier = file.shapes.get(names(source, spec)[CLASSIFIER], ())
    if "classes" not in stated and len(classifier) == 2:
        changes["classes"] = classifier[0]
    try:
        return replace(spec, **changes)
    except SpecError as error:
        raise WeightsError(f"{file.path}: {error}") from None
