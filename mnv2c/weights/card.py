"""What trained weights say of themselves in their file: for which network and pictures they are, and how good.

One JSON object under the key ``mnv2c`` of a safetensors file's metadata. A file without it is read as before; in one
with it, nothing that the weights depend on is left to the user to repeat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from unicodedata import category

from mnv2c.common.escape import shown
from mnv2c.errors import SpecError, WeightsError
from mnv2c.spec import ModelSpec, from_toml

KEY = "mnv2c"
FORMAT = 1
FITS = ("crop", "stretch", "letterbox")
INTERPOLATIONS = ("bilinear", "bicubic")
CHANNELS = ("rgb", "bgr")
FREE = ("name", "height", "image_width")  # fields of the spec that the weights do not depend on
MOST_LABELS = 100_000
NO_TEXT = ("Cc", "Cs")  # Unicode's control characters and halves of characters
LARGEST = 1e6  # of a mean or deviation
LEAST = {"deviation": 1e-6, "mean": -LARGEST}  # what is divided by
LEAST_CROP = 0.01
MOST_TEXT = 1 << 16  # characters of the network's description, and of the licence, recipe and accuracy together
MOST_NESTING = 8


@dataclass(frozen=True)
class Card:
    """The description that travels with weights.

    ``spec`` is the network as TOML. ``labels`` name its classes in order, a background among them. ``preprocessing`` is
    what ``mnv2c.pictures.image.Preprocessing`` reads, and ``channels``, their order, "rgb" or "bgr". ``recipe`` tells
    how they were trained, ``accuracy`` what was measured on which data; both are plain data for JSON.
    """

    task: str
    spec: str
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    seed: int = 0

    def metadata(self) -> dict[str, str]:
        """The metadata of a safetensors file."""
        return {KEY: json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)}

    def model(self) -> ModelSpec:
        """The network; SpecError where the text describes none."""
        return from_toml(self.spec, "the network in the weights' own description")


def card_of(metadata: Mapping[str, str], path: str) -> Card | None:
    """Read the card of a file at ``path``; None where there is none; WeightsError where it contradicts itself."""
    if KEY not in metadata:
        return None
    try:
        entries = json.loads(metadata[KEY])
    except (ValueError, RecursionError):  # also for a number of very many digits
        raise WeightsError(f"{path}: the description in its metadata is not JSON: export the weights again") from None
    if not isinstance(entries, dict) or entries.get("format") != FORMAT:
        raise WeightsError(f"{path}: its description is of another format than {FORMAT}: export the weights again")
    kinds: dict[str, type] = {
        "task": str,
        "spec": str,
        "labels": list,
        "preprocessing": dict,
        "recipe": dict,
        "accuracy": dict,
    }
    kinds |= {"licence": str, "seed": int}
    wrong = [name for name, kind in kinds.items() if not isinstance(entries.get(name), kind)]
    if wrong or not all(isinstance(label, str) for label in entries["labels"]):
        raise WeightsError(f"{path}: its description has no proper {wrong[0] if wrong else 'labels'}: export it again")
    card = Card(**{name: entries[name] for name in kinds} | {"labels": tuple(entries["labels"])})
    if len(card.spec) <= MOST_TEXT:
        _check(card, path)
    free = [entries[name] for name in kinds if name != "labels"]
    if not _is_plain(free) or len(json.dumps(free)) > MOST_TEXT:
        raise WeightsError(
            f"{path}: its description holds too much, or what is neither text nor a finite number: export it again"
        )
    return card


def _check(card: Card, path: str) -> None:
    """Raise WeightsError unless task, network, labels and preprocessing agree with each other."""
    try:
        model = card.model()
    except SpecError as error:
        raise WeightsError(f"{path}: {error}") from None
    if model.family != card.task:
        raise WeightsError(f"{path}: says that it is a {card.task}, but its network is a {model.family}")
    if len(card.labels) != model.classes or len(card.labels) > MOST_LABELS:
        raise WeightsError(f"{path}: has {len(card.labels)} labels, but its network has {model.classes} classes")
    if any(category(sign) in NO_TEXT for label in card.labels for sign in label):
        raise WeightsError(f"{path}: one of its labels is no line of text: export it again")
    how = card.preprocessing
    for name, choices in (("channels", CHANNELS), ("fit", FITS), ("interpolation", INTERPOLATIONS)):
        if how.get(name) not in choices:
            known = " or ".join(choices)
            raise WeightsError(f"{path}: preprocessing {name} is {shown(how.get(name))}; it must be {known}")
    for name in ("mean", "deviation"):
        values = how.get(name)
        usable = isinstance(values, list) and len(values) == 3 and all(map(_is_number, values))
        if not usable or min(how[name]) < LEAST[name]:
            raise WeightsError(f"{path}: preprocessing {name} is {shown(values)}; it must be three usable numbers")
    if not _is_number(how.get("crop")) or not LEAST_CROP <= how["crop"] <= 1:
        raise WeightsError(f"{path}: preprocessing crop is {shown(how.get('crop'))}; it must be above 0 and at most 1")


def _is_plain(value: Any, nesting: int = 0) -> bool:
    """Whether JSON can say it again, and a page or header can show it."""
    if nesting > MOST_NESTING:
        return False
    if isinstance(value, Mapping):
        return all(_is_plain(each, nesting + 1) for item in value.items() for each in item)
    if isinstance(value, list):
        return all(_is_plain(each, nesting + 1) for each in value)
    if isinstance(value, str):
        return all(sign in "\n\t" or category(sign) not in NO_TEXT for sign in value)
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1 << 63)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def contradiction(card: Card, spec: ModelSpec, stated: frozenset[str]) -> str:
    """Say where ``spec`` is another network than the card's in a field that is ``stated``; empty where nowhere."""
    model = card.model()
    if model.family != spec.family:
        return f"a {spec.family}, but the weights are those of a {model.family} ({model.name})"
    for entry in fields(spec):
        trained, asked = getattr(model, entry.name), getattr(spec, entry.name)
        if entry.name in stated and entry.name not in FREE and trained != asked:
            return f"described with {entry.name} {asked}, but the weights were trained with {trained} ({model.name})"
    return ""
