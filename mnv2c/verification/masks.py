"""Outputs that are classes of pixels: which scores of the reference they come from, and how sure each class is.

A class is no number with an error: where two scores are equal within the tolerance, either class is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnv2c.verification import tolerance
from mnv2c.verification.double_precision import Result

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]

SAME_CLASSES = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
"""Operators that keep the classes of an ArgMax, in their order."""


@dataclass(frozen=True)
class Scores:
    """The tensor of which an ArgMax takes the largest entry along ``axis``."""

    tensor: str
    axis: int

    def per_class(self, values: Array) -> Array:
        """Return the scores as [pixels, classes]."""
        import numpy as np

        return np.moveaxis(values, self.axis, -1).reshape(-1, values.shape[self.axis])


def scores_of(model: onnx.ModelProto) -> dict[str, Scores]:
    """Return by name the scores of every tensor that holds classes, the lowest one where scores are equal."""
    found: dict[str, Scores] = {}
    for node in model.graph.node:
        attributes = {entry.name: entry.i for entry in node.attribute}
        if node.op_type == "ArgMax" and not attributes.get("select_last_index", 0):
            found[node.output[0]] = Scores(node.input[0], attributes.get("axis", 0))
        elif node.op_type in SAME_CLASSES and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def result(name: str, value: Array, scores: Scores) -> Result:
    """A result that holds classes, to be judged by the scores that another program computes for them."""

    def error(values: Mapping[str, Array]) -> float:
        return tolerance.mask_error(value, values[name], scores.per_class(values[scores.tensor]))

    return Result((name, scores.tensor), error)


def with_scores(model: onnx.ModelProto, names: Mapping[str, Scores]) -> onnx.ModelProto:
    """Return a copy of the model that also has the scores of ``names`` as outputs."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {output.name for output in copy.graph.output}
    wanted = dict.fromkeys(scores.tensor for scores in names.values())
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    return copy


def margins(scores: Array) -> Array:
    """Return how far the best score of each pixel lies above the next, per largest score: [pixels, classes] in."""
    import numpy as np

    if scores.shape[1] == 1:
        return np.full(len(scores), np.inf)
    best = np.partition(scores, scores.shape[1] - 2, axis=1)[:, -2:].astype(np.float64)
    scale = float(np.abs(scores).max(initial=0.0))
    result: Array = (best[:, 1] - best[:, 0]) / (scale or 1.0)
    return result
