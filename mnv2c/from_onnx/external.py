"""Weights that a file keeps in other files beside it (``model.onnx.data``), read into the model itself.

PyTorch's exporter writes them so by default. A file name is a request of an untrusted file to read another one, so it
must name a plain file in the model's own folder or a folder within.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.extents import check_extents, tensor_bytes
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    import onnx


DIGITS = 20
"""Of an offset or a length that are looked at: no file is as large."""

SHARED = 2
"""How often every byte of an external file may be taken: tied weights are, but a small file must not fill a memory."""


def inline_external_data(model: onnx.ModelProto, folder: Path, limit: int) -> bool:
    """Read every external initialiser from ``folder`` into the model; return whether there was one.

    OnnxError where a location leaves the folder, a range leaves its file, or all together exceed ``limit`` bytes.
    """
    total, taken = 0, Counter[Path]()
    for tensor in model.graph.initializer:
        if tensor.data_location != tensor.EXTERNAL:
            continue
        fields = {entry.key: entry.value for entry in tensor.external_data}
        check_extents(quoted(tensor.name), tensor.dims, least=0)
        wanted = tensor_bytes(tensor)
        total += wanted
        if total > limit:
            raise OnnxError(f"its external data exceed {limit:,} bytes")
        path = _contained(tensor.name, fields, folder)
        taken[path] += wanted
        if taken[path] > SHARED * path.stat().st_size:
            raise OnnxError(f"its tensors take more bytes of {quoted(path.name)} than it has; export the model again")
        tensor.raw_data = _read(tensor.name, path, fields, wanted)
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]
    return total > 0


def _contained(tensor: str, fields: dict[str, str], folder: Path) -> Path:
    """Return the external file if it lies in the folder or below, is a file, and no link leads out of the folder."""
    location = fields.get("location", "")
    parts = location.split("/")
    plain = not {"", ".."} & set(parts) and "\\" not in location and "\0" not in location
    try:
        path = (folder / location).resolve() if plain else folder
        inside = plain and path.is_relative_to(folder.resolve()) and path != folder.resolve()
        found = inside and path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long for the system, a circle of links
        inside = found = False
    if not inside:
        raise OnnxError(
            f"tensor {quoted(tensor)} wants the file {quoted(location)}, which is not in the model's folder or below"
        )
    if not found:
        raise OnnxError(f"tensor {quoted(tensor)} needs the file {quoted(location)}; put it beside the model")
    return path


def _read(tensor: str, path: Path, fields: dict[str, str], wanted: int) -> bytes:
    try:
        offset, length = (
            int(fields.get(key, default)[:DIGITS]) for key, default in (("offset", "0"), ("length", str(wanted)))
        )
    except ValueError:
        raise OnnxError(f"tensor {quoted(tensor)} has an external range that is no number") from None
    size = path.stat().st_size
    if length != wanted or not 0 <= offset <= size - wanted:
        raise OnnxError(
            f"tensor {quoted(tensor)} takes {wanted} bytes at {offset} of {quoted(path.name)}, which has {size} "
            f"(and declares {length}); export the model again"
        )
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(wanted)
