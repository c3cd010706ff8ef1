"""Write out the sizes that the scales of a Resize mean, where ONNX's shape inference finds others than onnxruntime.

The results of an axis are floor(extent · scale). onnxruntime multiplies in float32, ONNX in float64: 5 · 2.6 is 13 in
the one and 12.99 in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

SCALES = "mnv2c_scales"
"""The attribute that keeps the scales of a Resize whose sizes are written out: positions are computed from them."""


def explicit_sizes(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Give every such Resize sizes in place of its scales; return whether there was one. Opset 11 or later."""
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    found = False
    for number, node in enumerate(graph.node):
        if node.op_type != "Resize" or len(node.input) != 3 or node.input[2] not in constants:
            continue
        scales = numpy_helper.to_array(constants[node.input[2]]).reshape(-1)
        extents = _resized(node, shapes.get(node.input[0], ()), scales)
        if extents is None:
            continue
        found, name = True, f"{node.output[0]}.mnv2c_sizes_{number}"
        graph.initializer.append(numpy_helper.from_array(np.array(extents, np.int64), name))
        node.attribute.append(helper.make_attribute(SCALES, [float(scale) for scale in scales]))
        node.input[2] = ""
        node.input.append(name)
    return found


def _resized(
    node: onnx.NodeProto, shape: tuple[int, ...], scales: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> list[int] | None:
    """The sizes of the axes that are scaled, where the two ways to compute them differ; else None."""
    axes = next((list(entry.ints) for entry in node.attribute if entry.name == "axes"), list(range(len(shape))))
    if not shape or len(axes) != len(scales) or not all(-len(shape) <= axis < len(shape) for axis in axes):
        return None
    pairs = [(shape[axis], scale) for axis, scale in zip(axes, scales, strict=True)]
    found = [int(np.float32(extent) * np.float32(scale)) for extent, scale in pairs]
    return found if found != [floor(extent * float(scale)) for extent, scale in pairs] else None
