"""What ``NAME.json`` says about a library, as far as running it needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import LibraryError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "mnv2c-library-1"


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, shape and numpy dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Size of the buffer."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


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
    """A step and what it leaves behind; ``reads`` names the tensors it reads, ``madds`` is None for a fallback.

    ``stages`` are the kinds of a chain's stages, or a fallback's operator; ``weights_bytes`` is what it reads of the
    weights.
    """

    name: str
    results: tuple[Place, ...]
    reads: tuple[str, ...]
    weights_bytes: int
    stages: tuple[str, ...]
    madds: int | None


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
    with kernels for several CPUs lists them in ``variants``, best first; ``variant`` is the one whose steps these are,
    and ``metadata`` then says of target, chains, fallbacks and buffers what holds for it.
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
    variants: tuple[str, ...] = ()
    variant: str = ""

    def of(self, variant: str) -> Description:
        """Describe the library as it runs with the kernels of one of its variants; LibraryError for another name."""
        known = ", ".join(self.variants)
        if variant not in self.variants:
            hint = f"has kernels for {known}" if known else "has kernels for one CPU only; leave the variant out"
            raise LibraryError(f'{self.name}: no variant "{variant}"{nearest(variant, self.variants)}: it {hint}')
        own = self.metadata["variants"][self.variants.index(variant)]
        return _describe(self.path, {**self.metadata, **own}, variant)

    @property
    def path(self) -> Path:
        """The library's ``NAME.json``, which names it where a folder holds several."""
        return self.folder / f"{self.name}.json"

    @property
    def shared(self) -> Path:
        """The shared library."""
        files = self.metadata.get("files") or {}
        return self.folder / str(files.get("shared", f"lib{self.name}.so.{self.abi}"))

    @property
    def archive(self) -> Path:
        """The static library."""
        return self.folder / f"lib{self.name}.a"

    @property
    def header(self) -> Path:
        """The C header."""
        return self.folder / f"{self.name}.h"

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


def read(location: str | Path) -> Description:
    """Describe the library in a folder, or that of a ``NAME.json``; LibraryError if there is none or it is damaged."""
    path = _find(Path(location))
    try:
        return _describe(path, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LibraryError(
            f"{path}: cannot be read as a NAME.json; give the folder that `mnv2c compile` wrote"
        ) from error
    except (KeyError, TypeError) as error:
        raise LibraryError(f"{path}: not the description of a library: {error}; compile the model again") from error


def _find(location: Path) -> Path:
    if location.is_file():
        return location
    if not location.is_dir():
        raise LibraryError(f"{location}: no such folder")
    found = [path for path in sorted(location.glob("*.json")) if _is_description(path)]
    if not found:
        raise LibraryError(f"{location}: holds no compiled library (a NAME.json beside libNAME.so)")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise LibraryError(f"{location}: holds several libraries; give one of {names} instead of the folder")
    return found[0]


def _is_description(path: Path) -> bool:
    try:
        return f'"{SCHEMA}"' in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _describe(path: Path, raw: Mapping[str, Any], variant: str = "") -> Description:
    if raw["schema"] != SCHEMA:
        raise LibraryError(f'{path}: has the schema "{raw["schema"]}", but this mnv2c reads "{SCHEMA}"')
    steps = sorted([*raw["chains"], *raw["fallbacks"]], key=lambda entry: int(entry["step"]))
    return Description(
        folder=path.parent,
        name=str(raw["name"]),
        abi=int(raw["abi"]),
        arch=str(raw["target"]["arch"]),
        threads=int(raw["threads"]),
        arena_bytes=int(raw["arena_bytes"]),
        arena_alignment=int(raw["arena_alignment"]),
        inputs=tuple(_tensor(port["name"], port) for port in raw["inputs"]),
        outputs=tuple(_tensor(port["name"], port) for port in raw["outputs"]),
        steps=tuple(map(_step, steps)),
        buffers=tuple(map(_buffer, raw["buffers"])) if "buffers" in raw else None,
        emulator_cpu=str(raw["target"]["emulator_cpu"]),
        requires=tuple(raw["target"]["requires"]),
        metadata=raw,
        variants=tuple(str(entry["target"]["name"]) for entry in raw.get("variants", ())),
        variant=variant,
    )


def _tensor(name: str, raw: Mapping[str, Any]) -> Tensor:
    return Tensor(str(name), tuple(int(extent) for extent in raw["shape"]), str(raw["dtype"]))


def _step(raw: Mapping[str, Any]) -> StepPlaces:
    return StepPlaces(
        name=str(raw["name"]),
        results=tuple(map(_place, raw["results"])),
        reads=tuple(raw.get("reads", ())),
        weights_bytes=int(raw.get("weights_bytes", 0)),
        stages=tuple(raw.get("stages") or ([str(raw["operator"])] if "operator" in raw else [])),
        madds=int(raw["madds"]) if "madds" in raw else None,
    )


def _place(raw: Mapping[str, Any]) -> Place:
    tensor = _tensor(raw["onnx"], raw)
    name = str(raw.get("name", ""))
    return Place(str(raw["space"]), int(raw["index"]), int(raw["offset"]), tensor, str(raw["onnx_layout"]), name)


def _buffer(raw: Mapping[str, Any]) -> ArenaBuffer:
    return ArenaBuffer(
        name=str(raw["name"]),
        offset=int(raw["offset"]),
        bytes=int(raw["bytes"]),
        first=int(raw["first"]),
        last=int(raw["last"]),
        tensors=tuple(raw["tensors"]),
    )
