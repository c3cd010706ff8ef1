"""Reads and checks ``NAME.json``, which is of unknown origin, before anything is made of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnv2c.common.escape import shown
from mnv2c.common.reading import TooLargeError, read_limited
from mnv2c.errors import LibraryError
from mnv2c.runtime.belonging import check_belonging
from mnv2c.runtime.consistency import check_described
from mnv2c.runtime.description import ArenaBuffer, Description, Place, StepPlaces, Tensor
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

SCHEMA = "mnv2c-library-1"
LARGEST = 64 << 20
"""Bytes of a ``NAME.json`` at most; that of a network of a thousand steps has about one million."""

SPACE = re.compile("arena|input|output")


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
        described = _description(path, found, variant)
        check_described(described)
    except FieldError as error:
        raise LibraryError(f"{path}: not the description of a library: {error}; compile the model again") from None
    return described


def _description(path: Path, raw: Mapping[str, Any], variant: str) -> Description:
    target = table(get(raw, "target"), "target")
    steps = sorted([*tables(raw, "chains"), *tables(raw, "fallbacks")], key=lambda entry: whole(entry, "step"))
    if [entry["step"] for entry in steps] != list(range(len(steps))):
        raise FieldError("step: the numbers of the steps have gaps")
    own = {
        text(table(get(entry, "target"), "target"), "name", WORD): entry
        for entry in (tables(raw, "variants") if "variants" in raw else ())
    }
    name, abi = text(raw, "name", IDENTIFIER), whole(raw, "abi", 1, 1 << 16)
    return Description(
        folder=path.parent,
        name=name,
        abi=abi,
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
        shared_name=_shared_name(name, abi, raw),
        variants=tuple(own),
        variant=variant,
        each={} if variant else {key: _describe(path, {**raw, **entry}, key) for key, entry in own.items()},
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


def _shared_name(name: str, abi: int, raw: Mapping[str, Any]) -> str:
    """The file name of the shared library; FieldError for one that this library cannot have."""
    usual = f"lib{name}.so.{abi}"
    files = raw.get("files")
    given = text(table(files, "files"), "shared") if files else usual
    if given not in (usual, f"lib{name}.so", f"lib{name}.{abi}.dylib"):
        raise FieldError(f"files: the shared library of {name} cannot be another file than {usual}")
    return given
