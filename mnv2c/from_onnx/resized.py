"""Write out the sizes that the scales of a Resize mean, where ONNX's shape inference finds others than onnxruntime.

The results of an axis are floor(extent · scale). onnxruntime multiplies in float32, ONNX in float64: 5 · 2.6 is 13 in
the one and 12.99 in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]

SCALES = "mnv2c_scales"
"""The attribute that keeps the scales of a Resize whose sizes are written out: positions are computed from them."""


def explicit_sizes(
    node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, Array]
) -> onnx.TensorProto | None:
    """Give such a Resize of opset 11 or later sizes in place of its scales; return them, a constant, else None."""
    from onnx import helper, numpy_helper

    if node.op_type != "Resize" or len(node.input) != 3 or node.input[2] not in constants:
        return None
    scales = constants[node.input[2]].reshape(-1)
    extents = _resized(node, shapes.get(node.input[0], ()), scales)
    if extents is None:
        return None
    sizes = numpy_helper.from_array(np.array(extents, np.int64), f"{node.output[0]}.mnv2c_sizes")
    node.attribute.append(helper.make_attribute(SCALES, [float(scale) for scale in scales]))
    node.input[2] = ""
    node.input.append(sizes.name)
    return sizes


def _resized(node: onnx.NodeProto, shape: tuple[int, ...], scales: Array) -> list[int] | None:
    """The sizes of the axes that are scaled, where the two ways to compute them differ; else None."""
    axes = next((list(entry.ints) for entry in node.attribute if entry.name == "axes"), list(range(len(shape))))
    if not shape or len(axes) != len(scales) or not all(-len(shape) <= axis < len(shape) for axis in axes):
        return None
    pairs = [(shape[axis], scale) for axis, scale in zip(axes, scales, strict=True)]
    if not np.isfinite(scales).all():
        return None
    found = [int(np.float32(extent) * np.float32(scale)) for extent, scale in pairs]
    return found if found != [floor(extent * float(scale)) for extent, scale in pairs] else None
