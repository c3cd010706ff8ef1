"""Evaluate what a file computes from constants and shapes alone: exporters write sizes and pads as little programs.

Only small values are computed, and only by operators whose results are as small; weights are never touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.limits import MAXIMUM_FOLDED_ELEMENTS
from mnv2c.from_onnx.naming import node_name, one_line

if TYPE_CHECKING:
    import onnx

FOLDED = frozenset(
    "Add Cast CastLike Ceil Clip Concat Constant ConstantOfShape Div Equal Floor Gather Identity Max Min Mod Mul Neg "
    "Range Reshape Shape Size Slice Squeeze Sub Transpose Unsqueeze Where".split()
)
"""Operators that are folded."""

BROADCASTING = frozenset("Add Div Equal Max Min Mod Mul Sub Where".split())
"""Those of them whose result may be larger than all operands together."""

Constants = dict[str, "np.ndarray[Any, Any]"]


def folded_value(
    node: onnx.NodeProto, constants: Constants, shapes: Mapping[str, tuple[int, ...]], model: onnx.ModelProto
) -> np.ndarray[Any, Any] | None:
    """Return the only result of a node that can be folded, else None.

    ``constants`` are the small ones known, ``shapes`` all that are. OnnxError where its operands do not fit.
    """
    if node.op_type not in FOLDED or len(node.output) != 1:
        return None
    known = {name: constants[name] for name in node.input if name in constants}
    if node.op_type in ("Shape", "Size") and node.input and node.input[0] in shapes:
        # The extents are all that counts: a tensor of that shape which takes no memory stands for the real one.
        known = {node.input[0]: np.broadcast_to(np.float32(0), shapes[node.input[0]])}
    if any(name and name not in known for name in node.input):
        return None
    try:
        small = _is_small(node, known)
    except (ValueError, IndexError) as error:
        raise OnnxError(f"{node_name(node)} has operands that do not fit each other") from error
    return _evaluate(node, known, model) if small else None


def _is_small(node: onnx.NodeProto, known: Constants) -> bool:
    if node.op_type == "ConstantOfShape":
        extents = [int(extent) for extent in known[node.input[0]].ravel()]
        return all(extent >= 0 for extent in extents) and prod(extents) <= MAXIMUM_FOLDED_ELEMENTS
    if node.op_type == "Range":
        start, limit, delta = (float(known[name].reshape(-1)[0]) for name in node.input)
        return delta != 0 and abs(limit - start) <= MAXIMUM_FOLDED_ELEMENTS * abs(delta)
    if node.op_type in ("Shape", "Size"):
        return True
    if node.op_type in BROADCASTING:
        return prod(np.broadcast_shapes(*(value.shape for value in known.values()))) <= MAXIMUM_FOLDED_ELEMENTS
    if node.op_type == "Gather":
        return prod(value.size for value in known.values()) <= MAXIMUM_FOLDED_ELEMENTS**2
    return sum(value.size for value in known.values()) <= MAXIMUM_FOLDED_ELEMENTS


def _evaluate(node: onnx.NodeProto, known: Constants, model: onnx.ModelProto) -> np.ndarray[Any, Any] | None:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    inputs = [helper.make_empty_tensor_value_info(name) for name in known]
    graph = helper.make_graph([node], "fold", inputs, [helper.make_empty_tensor_value_info(node.output[0])])
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # as of a division by zero
            warnings.simplefilter("ignore")
            (value,) = ReferenceEvaluator(single).run(None, known)
    except Exception as error:  # whatever the evaluator of that operator raises
        raise OnnxError(f"{node_name(node)} cannot be computed from its constants: {one_line(error)}") from error
    array = np.asarray(value)
    return array if array.dtype != object and array.size <= MAXIMUM_FOLDED_ELEMENTS else None
