"""The tensors a model is made of: their names and shapes, and the check that a set of weights has exactly them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import numpy as np

from mnv2c.common.escape import quoted
from mnv2c.errors import WeightsError, nearest
from mnv2c.spec import ModelSpec, layers

BN_FIELDS = ("gamma", "beta", "mean", "variance")

LISTED = 3  # tensors that a message names
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
        if layer.has_bias:
            shapes[f"{layer.name}.bias"] = layer.output_shape[2:]
    return shapes


def check_shapes(found: Mapping[str, Shape], spec: ModelSpec, path: str, called: Mapping[str, str]) -> None:
    """Raise WeightsError unless ``found`` has exactly the model's tensors; ``called`` is our name -> the file's."""
    wanted = {called[name]: shape for name, shape in expected(spec).items()}
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if len(missing) == len(wanted):
        raise WeightsError(f'{path}: no tensor of {spec.name} in it; names are like "{missing[0]}"')
    wrong = [name for name, shape in wanted.items() if name in found and tuple(found[name]) != shape]
    faults = []
    if extra:
        hint = nearest(extra[0], missing or wanted) if len(extra) == 1 else ""
        faults.append(f"{_listed(extra)} not part of {spec.name}{hint}")
    if missing:
        faults.append(f"{_listed(missing, f' of {spec.name}')} missing")
    if wrong:
        also = f"; {_listed(wrong[1:])} of another shape too" if wrong[1:] else ""
        faults.append(
            f"tensor {quoted(wrong[0])} is {_by(found[wrong[0]])}, but {spec.name} (width {spec.width:g}, "
            f"{spec.classes} classes) needs {_by(wanted[wrong[0]])}{also}"
        )
    if faults:
        raise WeightsError(f"{path}: {'; '.join(faults)}")


def check(weights: Mapping[str, np.ndarray], spec: ModelSpec, source: str = "weights") -> None:
    """Raise WeightsError unless names, shapes and dtype (float32) fit and every value is usable."""
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    check_shapes(shapes, spec, source, {name: name for name in expected(spec)})
    for name, tensor in weights.items():
        if tensor.dtype != np.float32:
            raise WeightsError(f"{source}: tensor {quoted(name)} is {tensor.dtype}; float32 is needed")
        check_values(name, tensor, source)


def check_values(name: str, tensor: np.ndarray, source: str, called: str | None = None) -> None:
    """Raise WeightsError for a value that is not finite, or a negative variance; ``called`` is the file's name."""
    shown = called or name
    finite = np.isfinite(tensor)
    if not finite.all():
        bad = tensor.size - int(np.count_nonzero(finite))
        raise WeightsError(
            f"{source}: tensor {quoted(shown)} has {bad} of {tensor.size} values that are NaN or infinite"
        )
    if name.endswith(".bn.variance") and (tensor < 0).any():
        raise WeightsError(f"{source}: tensor {quoted(shown)} has a negative variance")


def total_elements(spec: ModelSpec) -> int:
    """Return the number of values in all expected tensors."""
    return sum(prod(shape) for shape in expected(spec).values())


def _listed(names: list[str], what: str = "") -> str:
    """The first of some tensors, how many more there are, and the verb: ``tensors "a", "b" (and 4 more) are``."""
    several = len(names) > 1
    more = f" (and {len(names) - LISTED} more)" if len(names) > LISTED else ""
    first = ", ".join(quoted(name) for name in names[:LISTED])
    return f"tensor{'s' * several} {first}{more}{what} {'are' if several else 'is'}"


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
