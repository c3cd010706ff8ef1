"""The size of a tensor by what a file says of it, within limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.limits import MAXIMUM_ELEMENTS, MAXIMUM_EXTENT, MAXIMUM_RANK
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    import onnx


def check_extents(name: str, extents: Sequence[int], least: int = 1) -> None:
    """Raise OnnxError unless a shape is within the limits; nothing is allocated for it before."""
    if len(extents) > MAXIMUM_RANK:
        raise OnnxError(f"tensor {name} has {len(extents)} dimensions; at most {MAXIMUM_RANK} are supported")
    elements = 1
    for extent in extents:
        if extent < least:
            raise OnnxError(f"tensor {name} has the illegal shape {list(extents)}")
        elements *= extent
    if max(extents, default=0) > MAXIMUM_EXTENT or elements > MAXIMUM_ELEMENTS:
        raise OnnxError(f"tensor {name} of shape {list(extents)} has more than {MAXIMUM_ELEMENTS:,} elements")


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Return the size of a tensor by its type and dimensions; OnnxError where it has none or is not numeric."""
    import numpy as np
    from onnx import helper

    try:
        itemsize: int = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    except (KeyError, TypeError, ValueError):
        raise OnnxError(f"tensor {quoted(tensor.name)} has the unknown type {tensor.data_type}") from None
    if any(extent < 0 for extent in tensor.dims):
        raise OnnxError(f"tensor {quoted(tensor.name)} has the negative dimension {min(tensor.dims)}")
    return math.prod(int(extent) for extent in tensor.dims) * itemsize
