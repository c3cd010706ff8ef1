"""What ``NAME.json`` says about a library, as far as running it needs it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.dtypes import number_type
from mnv2c.errors import LibraryError, nearest
from mnv2c.escape import shown
from mnv2c.reading import TooLargeError, read_limited
from mnv2c.runtime.belonging import check_belonging
from mnv2c.runtime.consistency import check_described, shared_name
from mnv2c.runtime.fields import (
    ARCHITECTURE,
    EMULATED,
    IDENTIFIER,
    WORD,
    FieldError,
    get,
    shape_and_type,
    table,
    tables,
    text,
    texts,
    whole,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "mnv2c-library-1"
LARGEST = 64 << 20
"""Bytes of a ``NAME.json`` at most; that of a network of a thousand steps has about one million."""

SPACE = re.compile("arena|input|output")


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
        return self.folder / shared_name(self)

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


def read(location: str | Path) -> Description:
    """Describe the library in a folder, or that of a ``NAME.json``; LibraryError if there is none or it is damaged.

    What is described is what the library beside it was made with, byte for byte (`mnv2c.runtime.belonging`).
    """
    path = _find(Path(location))
    try:
        content = read_limited(path, LARGEST)
        raw = json.loads(content.decode("utf-8"))
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise LibraryError(
            f"{path}: cannot be read as a NAME.json; give the folder that `mnv2c compile` wrote"
        ) from None
    described = _describe(path, raw)
    check_belonging(described.path, content)
    return described


def _find(location: Path) -> Path:
    if os.path.isfile(location):  # which takes a name that is too long for a no, unlike Path.is_file
        return location
    if not os.path.isdir(location):
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
        return f'"{SCHEMA}"'.encode() in read_limited(path, LARGEST)
    except (OSError, TooLargeError):
        return False


def _describe(path: Path, raw: Any, variant: str = "") -> Description:
    """Check every value and return them; LibraryError."""
    try:
        found = table(raw, "the description")
        if (schema := get(found, "schema")) != SCHEMA:
            raise LibraryError(f'{path}: has the schema {shown(schema)}, but this mnv2c reads "{SCHEMA}"')
        if (name := text(found, "name", IDENTIFIER)) != path.stem:
            raise FieldError(f"name is {shown(name)}, but the file is called {path.name}")
        described = _description(path.parent, found, variant)
        check_described(described)
    except FieldError as error:
        raise LibraryError(f"{path}: not the description of a library: {error}; compile the model again") from None
    return described


def _description(folder: Path, raw: Mapping[str, Any], variant: str) -> Description:
    target = table(get(raw, "target"), "target")
    steps = sorted([*tables(raw, "chains"), *tables(raw, "fallbacks")], key=lambda entry: whole(entry, "step"))
    if [entry["step"] for entry in steps] != list(range(len(steps))):
        raise FieldError("step: the numbers of the steps have gaps")
    variants = [
        table(get(entry, "target"), "target") for entry in (tables(raw, "variants") if "variants" in raw else ())
    ]
    return Description(
        folder=folder,
        name=text(raw, "name", IDENTIFIER),
        abi=whole(raw, "abi", 1, 1 << 16),
        arch=text(target, "arch", ARCHITECTURE),
        threads=whole(raw, "threads", 1, 1 << 10),
        arena_bytes=whole(raw, "arena_bytes"),
        arena_alignment=whole(raw, "arena_alignment", 1, 1 << 16),
        inputs=tuple(_tensor(text(port, "name"), port) for port in tables(raw, "inputs")),
        outputs=tuple(_tensor(text(port, "name"), port) for port in tables(raw, "outputs")),
        steps=tuple(map(_step, steps)),
        buffers=tuple(map(_buffer, tables(raw, "buffers"))) if "buffers" in raw else None,
        emulator_cpu=text(target, "emulator_cpu", EMULATED),
        requires=texts(target, "requires", WORD),
        metadata=raw,
        variants=tuple(text(entry, "name", WORD) for entry in variants),
        variant=variant,
    )


def _tensor(name: str, raw: Mapping[str, Any]) -> Tensor:
    return Tensor(name, *shape_and_type(raw))


def _step(raw: Mapping[str, Any]) -> StepPlaces:
    operator = [text(raw, "operator")] if "operator" in raw else []
    return StepPlaces(
        name=text(raw, "name"),
        results=tuple(map(_place, tables(raw, "results"))),
        reads=texts(raw, "reads") if "reads" in raw else (),
        weights_bytes=whole(raw, "weights_bytes") if "weights_bytes" in raw else 0,
        stages=tuple((texts(raw, "stages") if "stages" in raw else ()) or operator),
        madds=whole(raw, "madds", 0, 1 << 60) if "madds" in raw else None,
        is_fallback="operator" in raw,
    )


def _place(raw: Mapping[str, Any]) -> Place:
    return Place(
        space=text(raw, "space", SPACE),
        index=whole(raw, "index"),
        offset=whole(raw, "offset"),
        tensor=_tensor(text(raw, "onnx"), raw),
        onnx_layout=text(raw, "onnx_layout"),
        name=text(raw, "name") if "name" in raw else "",
    )


def _buffer(raw: Mapping[str, Any]) -> ArenaBuffer:
    return ArenaBuffer(
        name=text(raw, "name"),
        offset=whole(raw, "offset"),
        bytes=whole(raw, "bytes"),
        first=whole(raw, "first"),
        last=whole(raw, "last"),
        tensors=texts(raw, "tensors"),
    )
