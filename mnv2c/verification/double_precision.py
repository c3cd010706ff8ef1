"""Judges a result on which float32 is undecided: the same network in float64 says who is right.

onnxruntime computes in float32 as the library does. Where a sum cancels, or where all values of a sigmoid are small,
two correct programs may differ by more than the tolerance. Only such a doubt comes here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.verification import tolerance

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]

MOST = 100 * tolerance.FLOAT32
"""What is off by more, against float64, is a fault, however the network rounds."""

TRIALS = 8
"""How often all weights and inputs are rounded at random; the largest change counts."""

CHANGES = 4
"""How many times that change an error may be: not only weights and inputs are rounded, but every result as well."""

HALF_ULP = 2.0**-24
"""The largest relative error of rounding a number to float32."""


@dataclass(frozen=True)
class Result:
    """A result: ``error`` returns how far it is from given values of the tensors ``names``.

    The last of the tensors holds the numbers that rounding changes: of classes, their scores.
    """

    names: tuple[str, ...]
    error: Callable[[Arrays], float]


@dataclass(frozen=True)
class Verdict:
    """How far a result is off, and how far it may be: as far as any, or as far as float32 itself is off there."""

    error: float
    allowed: float = tolerance.FLOAT32

    @property
    def right(self) -> bool:
        """True where the error is within what is allowed; an error that is NaN is not."""
        return self.error <= self.allowed


@dataclass(frozen=True, eq=False)
class Settled:
    """A tensor's values and how far, relative to the largest, a right result may be from them."""

    values: Array
    allowed: float = tolerance.FLOAT32


def verdicts(results: Sequence[Result], reference: Arrays, model: bytes | Path, inputs: Arrays) -> list[Verdict]:
    """Judge results by the ``reference``, which is onnxruntime's, and those that fail by the model in float64.

    ``model`` is a serialized one or the path of one. Where ONNX's own evaluator cannot compute it, the reference's word
    stands.
    """
    found = [Verdict(result.error(reference)) for result in results]
    doubts = [index for index, verdict in enumerate(found) if tolerance.FLOAT32 < verdict.error < math.inf]
    if not doubts:
        return found
    names = list(dict.fromkeys(name for index in doubts for name in results[index].names))
    try:
        judge = _Judge(model, inputs, names)
        for index in doubts:
            found[index] = judge.verdict(results[index])
    except Exception:  # of whatever kind the evaluator raises for an operator that it lacks in float64
        return found
    return found


def settled(names: Sequence[str], reference: Arrays, model: bytes | Path, inputs: Arrays) -> dict[str, Settled]:
    """Return what float64 makes of tensors, and how far a right result may be from that.

    Where ONNX's own evaluator cannot compute the model, the reference's values within the usual tolerance.
    """
    if not names:
        return {}
    try:
        judge = _Judge(model, inputs, names)
        return {name: judge.settled(name, reference[name]) for name in names}
    except Exception:  # see verdicts
        return {name: Settled(reference[name]) for name in names}


class _Judge:
    """A network's tensors in float64, and how far float32's rounding of weights and inputs moves them."""

    def __init__(self, model: bytes | Path, inputs: Arrays, names: Sequence[str]) -> None:
        import onnx

        self._model = onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load(model)
        self._inputs, self._names = inputs, names
        self._exact = evaluate(self._model, inputs, names)

    def verdict(self, result: Result) -> Verdict:
        error = result.error(self._exact)
        if error <= tolerance.FLOAT32 or not error <= MOST:
            return Verdict(error)
        return Verdict(error, max(tolerance.FLOAT32, min(CHANGES * self._changes[result.names[-1]], MOST)))

    def settled(self, name: str, reference: Array) -> Settled:
        """Rounding is looked into where onnxruntime itself is a quarter of the tolerance off."""
        exact = self._exact[name]
        if tolerance.relative_error(reference, exact) <= tolerance.FLOAT32 / 4:
            return Settled(exact)
        return Settled(exact, max(tolerance.FLOAT32, min(CHANGES * self._changes[name], MOST)))

    @cached_property
    def _changes(self) -> dict[str, float]:
        changes = dict.fromkeys(self._names, 0.0)
        for trial in range(1, TRIALS + 1):
            for name, value in evaluate(self._model, self._inputs, self._names, trial).items():
                changes[name] = max(changes[name], tolerance.relative_error(value, self._exact[name]))
        return changes


def evaluate(model: onnx.ModelProto, inputs: Arrays, names: Sequence[str], trial: int = 0) -> dict[str, Array]:
    """Evaluate the network in float64 with ONNX's own evaluator; return the tensors ``names``.

    In a ``trial`` other than 0 weights and inputs are multiplied by 1 + u, u uniform within half an ulp of float32; a
    trial draws the same ones every time.
    """
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    generator = np.random.default_rng(trial)

    def widened(value: Array) -> Array:
        if value.dtype != np.float32:
            return value
        exact = value.astype(np.float64)
        return exact * (1 + HALF_ULP * generator.uniform(-1, 1, exact.shape)) if trial else exact

    evaluator = ReferenceEvaluator(_in_double(model, names, widened))
    with np.errstate(all="ignore"):
        found = evaluator.run(list(names), {name: widened(value) for name, value in inputs.items()})
    return dict(zip(names, found, strict=True))


def _in_double(model: onnx.ModelProto, names: Sequence[str], widened: Callable[[Array], Array]) -> onnx.ModelProto:
    """A copy of the model whose float32 tensors are float64, with ``names`` as its outputs."""
    import onnx
    from onnx import numpy_helper

    def convert(tensor: onnx.TensorProto) -> None:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(widened(numpy_helper.to_array(tensor)), tensor.name))

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        convert(tensor)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                convert(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.DOUBLE
    del copy.graph.value_info[:], copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return copy
