"""Reading and writing of tensors as ``.safetensors``; what is in a file is known before any tensor is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mnv2c.common.escape import quoted
from mnv2c.common.files import replace_file
from mnv2c.errors import OutputError, WeightsError
from mnv2c.weights.names import Shape

DTYPES = ("F32", "F16")  # half precision is widened
MAXIMUM_HEADER_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class TensorFile:
    """An open file: shapes and dtypes (as safetensors calls them) by name, and how to read one tensor.

    ``metadata`` are the texts that a safetensors file may carry.
    """

    path: str
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    read: Callable[[str], np.ndarray]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def tensor(self, name: str) -> np.ndarray:
        """Return one tensor as float32; raises WeightsError for a dtype that would lose or invent values."""
        if self.dtypes[name] not in DTYPES:
            raise WeightsError(
                f"{self.path}: tensor {quoted(name)} is {self.dtypes[name]}; "
                f"{' and '.join(DTYPES)} can be read: convert it"
            )
        return np.ascontiguousarray(self.read(name), dtype=np.float32).reshape(self.shapes[name])


@contextmanager
def open_safetensors(path: str) -> Iterator[TensorFile]:
    """Open a safetensors file; raises WeightsError for what is not one, when it is opened or read."""
    from safetensors import SafetensorError, safe_open

    _check_frame(path)
    try:
        with safe_open(path, framework="numpy") as file:
            views = {name: file.get_slice(name) for name in file.keys()}
            shapes = {name: tuple(view.get_shape()) for name, view in views.items()}
            dtypes = {name: view.get_dtype() for name, view in views.items()}
            yield TensorFile(path, shapes, dtypes, file.get_tensor, file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"{path}: damaged safetensors file: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None


def _check_frame(path: str) -> None:
    """Refuse what is not a safetensors file by its first nine bytes: the header's length, then JSON."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
    length = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:] != b"{":
        raise WeightsError(f"{path}: not a safetensors file; export or download it again, or give a .pth file")
    if length > MAXIMUM_HEADER_BYTES or length + 8 > size:
        raise WeightsError(f"{path}: damaged safetensors file: header of {length} bytes in a file of {size}")


def write(path: str | Path, weights: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write ``weights`` as safetensors; the file appears complete or not at all; raises OutputError."""
    from safetensors.numpy import save

    data = save({name: np.asarray(tensor, order="C") for name, tensor in weights.items()}, metadata=metadata)
    target = Path(path)
    try:
        replace_file(target, data)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror}") from None
