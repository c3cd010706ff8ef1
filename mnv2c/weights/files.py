"""Reading and writing weights as ``.safetensors``: names and shapes are checked before any tensor is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mnv2c.errors import OutputError, WeightsError
from mnv2c.spec import ModelSpec
from mnv2c.weights.names import Weights, check_shapes, check_values, expected

DTYPES = ("F32", "F16")  # half precision is widened
MAXIMUM_HEADER_BYTES = 16 << 20


def read(path: str | Path, spec: ModelSpec) -> Weights:
    """Read the model's tensors as float32 in execution order; raises WeightsError that names file and tensor."""
    from safetensors import SafetensorError, safe_open

    source = str(path)
    _check_frame(source)
    try:
        with safe_open(source, framework="numpy") as file:
            _check_header(file, spec, source)
            return {name: _tensor(file, name, source) for name in expected(spec)}
    except SafetensorError as error:
        raise WeightsError(f"{source}: damaged safetensors file: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise WeightsError(f"{source}: cannot be read: {error.strerror or error}") from None


def _check_frame(source: str) -> None:
    """Refuse what is not a safetensors file by its first nine bytes: the header's length, then JSON."""
    try:
        size = os.path.getsize(source)
        with open(source, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"{source}: cannot be read: {error.strerror}") from None
    length = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:] != b"{":
        raise WeightsError(f"{source}: not a safetensors file")
    if length > MAXIMUM_HEADER_BYTES or length + 8 > size:
        raise WeightsError(f"{source}: damaged safetensors file: header of {length} bytes in a file of {size}")


def _check_header(file: Any, spec: ModelSpec, source: str) -> None:
    views = {name: file.get_slice(name) for name in file.keys()}
    check_shapes({name: tuple(view.get_shape()) for name, view in views.items()}, spec, source)
    for name, view in views.items():
        if view.get_dtype() not in DTYPES:
            raise WeightsError(
                f'{source}: tensor "{name}" is {view.get_dtype()}; {" and ".join(DTYPES)} can be read: convert it'
            )


def _tensor(file: Any, name: str, source: str) -> np.ndarray:
    tensor = np.ascontiguousarray(file.get_tensor(name), dtype=np.float32)
    check_values(name, tensor, source)
    return tensor


def write(path: str | Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write ``weights`` as safetensors; the file appears complete or not at all; raises OutputError."""
    from safetensors.numpy import save

    data = save({name: np.asarray(tensor, order="C") for name, tensor in weights.items()})
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot be written: {error.strerror}") from None
