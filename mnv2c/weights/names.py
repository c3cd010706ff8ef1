"""The tensors a model is made of: their names and shapes, and the check that a set of weights has exactly them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import prod

import numpy as np

from mnv2c.errors import WeightsError, nearest
from mnv2c.spec import ModelSpec, layers

BN_FIELDS = ("gamma", "beta", "mean", "variance")

Shape = tuple[int, ...]
Weights = dict[str, np.ndarray]


def expected(spec: ModelSpec) -> dict[str, Shape]:
    """Return name -> shape in execution order, e.g. "block_2.expand.weight" (OIHW) and "block_2.expand.bn.gamma"."""
    shapes: dict[str, Shape] = {}
    for layer in layers(spec):
        if layer.weight_shape:
            shapes[f"{layer.name}.weight"] = layer.weight_shape
        for field in BN_FIELDS if layer.has_batch_norm else ():
            shapes[f"{layer.name}.bn.{field}"] = layer.output_shape[2:]
        if layer.kind == "dense":
            shapes[f"{layer.name}.bias"] = layer.output_shape[2:]
    return shapes


def check_shapes(found: Mapping[str, Shape], spec: ModelSpec, source: str) -> None:
    """Raise WeightsError unless ``found`` has exactly the model's names and shapes."""
    wanted = expected(spec)
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if len(missing) == len(wanted):
        raise WeightsError(f'{source}: no tensor of {spec.name} in it; names are like "{missing[0]}"')
    if extra:
        hint = nearest(extra[0], missing or wanted)
        raise WeightsError(f"{source}: tensor {_quoted(extra[0])}{_more(extra)} is not part of {spec.name}{hint}")
    if missing:
        raise WeightsError(f'{source}: tensor "{missing[0]}"{_more(missing)} of {spec.name} is missing')
    for name, shape in wanted.items():
        if tuple(found[name]) != shape:
            raise WeightsError(
                f'{source}: tensor "{name}" is {_by(found[name])}, but {spec.name} (width {spec.width:g}, '
                f"{spec.classes} classes) needs {_by(shape)}"
            )


def check(weights: Mapping[str, np.ndarray], spec: ModelSpec, source: str = "weights") -> None:
    """Raise WeightsError unless names, shapes and dtype (float32) fit and every value is usable."""
    check_shapes({name: tensor.shape for name, tensor in weights.items()}, spec, source)
    for name, tensor in weights.items():
        if tensor.dtype != np.float32:
            raise WeightsError(f'{source}: tensor "{name}" is {tensor.dtype}; float32 is needed')
        check_values(name, tensor, source)


def check_values(name: str, tensor: np.ndarray, source: str) -> None:
    """Raise WeightsError for a value that is not finite, or a negative variance."""
    finite = np.isfinite(tensor)
    if not finite.all():
        bad = tensor.size - int(np.count_nonzero(finite))
        raise WeightsError(f'{source}: tensor "{name}" has {bad} of {tensor.size} values that are NaN or infinite')
    if name.endswith(".bn.variance") and (tensor < 0).any():
        raise WeightsError(f'{source}: tensor "{name}" has a negative variance')


def total_elements(spec: ModelSpec) -> int:
    """Return the number of values in all expected tensors."""
    return sum(prod(shape) for shape in expected(spec).values())


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _quoted(name: str) -> str:
    """A name from a file, on one line whatever it holds."""
    return json.dumps(name[:80])


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
