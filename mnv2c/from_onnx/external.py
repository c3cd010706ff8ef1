"""Weights that a file keeps in other files beside it (``model.onnx.data``), read into the model itself.

PyTorch's exporter writes them so by default. A file name is a request of an untrusted file to read another one, so it
must name a plain file in the model's own folder.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    import onnx


def inline_external_data(model: onnx.ModelProto, folder: Path, limit: int) -> bool:
    """Read every external initialiser from ``folder`` into the model; return whether there was one.

    OnnxError where a location leaves the folder, a range leaves its file, or all together exceed ``limit`` bytes.
    """
    total = 0
    for tensor in model.graph.initializer:
        if tensor.data_location != tensor.EXTERNAL:
            continue
        fields = {entry.key: entry.value for entry in tensor.external_data}
        wanted = tensor_bytes(tensor)
        total += wanted
        if total > limit:
            raise OnnxError(f"its external data exceed {limit:,} bytes")
        tensor.raw_data = _read(tensor.name, _contained(tensor.name, fields, folder), fields, wanted)
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]
    return total > 0


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


def _contained(tensor: str, fields: dict[str, str], folder: Path) -> Path:
    """Return the external file if it lies in the folder itself and is a file, not a link out of it."""
    location = fields.get("location", "")
    path = folder / location
    plain = bool(location) and Path(location).name == location and "\\" not in location and "\0" not in location
    if not plain or path.resolve().parent != folder.resolve():
        raise OnnxError(
            f"tensor {quoted(tensor)} wants the file {quoted(location)}, which is not in the model's folder"
        )
    if not path.is_file():
        raise OnnxError(f"tensor {quoted(tensor)} needs the file {quoted(location)}; put it beside the model")
    return path


def _read(tensor: str, path: Path, fields: dict[str, str], wanted: int) -> bytes:
    try:
        offset, length = int(fields.get("offset", "0")), int(fields.get("length", wanted))
    except ValueError:
        raise OnnxError(f"tensor {quoted(tensor)} has an external range that is no number") from None
    size = path.stat().st_size
    if length != wanted or not 0 <= offset <= size - wanted:
        raise OnnxError(
            f"tensor {quoted(tensor)} takes {wanted} bytes at {offset} of {path.name}, which has {size} "
            f"(and declares {length}); export the model again"
        )
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(wanted)
