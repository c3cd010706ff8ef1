"""What ``NAME.json`` says about a library, as far as running it needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.dtypes import number_type
from mnv2c.errors import LibraryError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, shape and numpy dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Size of the buffer."""
        return prod(self.shape) * number_type(self.dtype).bytes


@dataclass(frozen=True)
class Place:
    """Where a step leaves a tensor (``space`` is "arena", "output" or "input"), and the ONNX tensor it must equal.

    ``name`` is the library's own for it.
    """

    space: str
    index: int
    offset: int
    tensor: Tensor
    onnx_layout: str
    name: str


@dataclass(frozen=True)
class StepPlaces:
    """A step and what it leaves behind; ``reads`` names the tensors it reads, ``madds`` is None where nobody counted.

    ``stages`` are the kinds of a chain's stages, or a fallback's operator; ``weights_bytes`` is what it reads of the
    weights.
    """

    name: str
    results: tuple[Place, ...]
    reads: tuple[str, ...]
    weights_bytes: int
    stages: tuple[str, ...]
    madds: int | None
    is_fallback: bool = False


@dataclass(frozen=True)
class ArenaBuffer:
    """A part of the arena, in use from step ``first`` to step ``last``; ``tensors`` is empty for scratch memory."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class StepResult:
    """A tensor that a step has computed: ``onnx`` names its equal in the ONNX model, stored there as ``onnx_layout``.

    ``onnx`` is empty where there is none; ``onnx_layout`` is "NCHW" or "same"; ``value`` is a copy in NHWC.
    """

    step: int
    name: str
    onnx: str
    onnx_layout: str
    value: NDArray[Any]


@dataclass(frozen=True)
class Description:
    """The facts of a library and where it lies; ``metadata`` is all of ``NAME.json``.

    ``buffers`` is None, and what steps read is empty, for a library whose compiler did not yet note them. A library
    with kernels for several CPUs lists them in ``variants``, best first, and describes ``each``; ``variant`` is the one
    whose steps these are, and ``metadata`` then says of target, chains, fallbacks and buffers what holds for it.
    """

    folder: Path
    name: str
    abi: int
    arch: str
    threads: int
    arena_bytes: int
    arena_alignment: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    steps: tuple[StepPlaces, ...]
    buffers: tuple[ArenaBuffer, ...] | None
    emulator_cpu: str
    requires: tuple[str, ...]
    metadata: Mapping[str, Any]
    shared_name: str
    variants: tuple[str, ...] = ()
    variant: str = ""
    each: Mapping[str, Description] = field(default_factory=dict, compare=False, repr=False)

    def of(self, variant: str) -> Description:
        """Describe the library as it runs with the kernels of one of its variants; LibraryError for another name."""
        known = ", ".join(self.variants)
        if variant not in self.variants:
            hint = f"has kernels for {known}" if known else "has kernels for one CPU only; leave the variant out"
            raise LibraryError(f'{self.name}: no variant "{variant}"{nearest(variant, self.variants)}: it {hint}')
        return self.each.get(variant, self)

    @property
    def path(self) -> Path:
        """The library's ``NAME.json``, which names it where a folder holds several."""
        return self.folder / f"{self.name}.json"

    @property
    def shared(self) -> Path:
        """The shared library."""
        return self.folder / self.shared_name

    @property
    def archive(self) -> Path:
        """The static library."""
        return self.folder / f"lib{self.name}.a"

    @property
    def header(self) -> Path:
        """The C header."""
        return self.folder / f"{self.name}.h"

    def source(self, file: str) -> str:
        """Read a C file of the folder; LibraryError where that is impossible."""
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text"
            raise LibraryError(f"{self.folder / file}: cannot be read: {reason}; compile the model again") from error

    def checked(self, inputs: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """Return ``inputs`` if number, type, shape and memory order fit; LibraryError otherwise."""
        if len(inputs) != len(self.inputs):
            raise LibraryError(f"{self.name}: takes {len(self.inputs)} input(s), not {len(inputs)}")
        for value, port in zip(inputs, self.inputs, strict=True):
            where = f"{self.name}: input {port.name}"
            if not isinstance(value, np.ndarray):
                raise LibraryError(f"{where}: must be a numpy array, not {type(value).__name__}")
            if value.dtype != np.dtype(port.dtype):
                raise LibraryError(f"{where}: must be {port.dtype}, not {value.dtype}; use x.astype(np.{port.dtype})")
            if value.shape != port.shape:
                raise LibraryError(f"{where}: must have the shape {list(port.shape)}, not {list(value.shape)}")
            if not value.flags.c_contiguous:
                raise LibraryError(f"{where}: must be contiguous; use np.ascontiguousarray(x)")
        return inputs
