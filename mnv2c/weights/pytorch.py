"""Reading of PyTorch's ``.pth`` files: only what ``torch.load(weights_only=True)`` admits, which runs no code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mnv2c.common.escape import quoted
from mnv2c.errors import WeightsError
from mnv2c.weights.files import TensorFile

if TYPE_CHECKING:
    import numpy as np

INSTALL = "pip install 'mnv2c[torch]'"
NESTED = ("state_dict", "model_state_dict", "model")  # where training scripts put the state dict
DTYPES = {"torch.float32": "F32", "torch.float16": "F16"}  # others keep PyTorch's name


@contextmanager
def open_pth(path: str) -> Iterator[TensorFile]:
    """Open a state dict; raises WeightsError for anything else, and where PyTorch is not installed."""
    tensors = _state_dict(_load(path), path)

    def read(name: str) -> np.ndarray:
        array: np.ndarray = tensors[name].detach().contiguous().numpy()
        return array

    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    dtypes = {name: DTYPES.get(str(tensor.dtype), str(tensor.dtype)) for name, tensor in tensors.items()}
    yield TensorFile(path, shapes, dtypes, read)


def _load(path: str) -> Any:
    try:
        import torch
    except ImportError:
        raise WeightsError(f"{path}: PyTorch is needed to read it: {INSTALL}; or convert it to .safetensors") from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception:  # a damaged zip archive or pickle may raise anything, with pages of advice
        raise WeightsError(
            f"{path}: damaged, or not a plain state dict: save model.state_dict() with torch.save, or as .safetensors"
        ) from None


def _state_dict(loaded: Any, path: str) -> Mapping[str, Any]:
    """Return the tensors by name, of the file itself or of the entry a training script keeps them in."""
    import torch

    if isinstance(loaded, Mapping):
        loaded = next((loaded[key] for key in NESTED if isinstance(loaded.get(key), Mapping)), loaded)
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{path}: holds no state dict: save model.state_dict()")
    for name, tensor in loaded.items():
        dense = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not isinstance(name, str) or not dense:
            raise WeightsError(f"{path}: entry {quoted(str(name))} is not a dense tensor; save model.state_dict()")
    return loaded
