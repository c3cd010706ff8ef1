"""Finding a model description: by the name of a file in ``zoo/``, or by the path of a user's own TOML file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from mnv2c.errors import SpecError, nearest
from mnv2c.spec.model import ModelSpec
from mnv2c.spec.toml import SIZE_FIELDS, from_toml, parse_resolution, written_fields

MAXIMUM_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Description:
    """A model, and the fields that its file or an option states; weights may set the others."""

    spec: ModelSpec
    stated: frozenset[str]


def available() -> list[str]:
    """Return the names of the models in the zoo, sorted."""
    names = [entry.name for entry in files("mnv2c.spec").joinpath("zoo").iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load(
    name_or_path: str | Path,
    *,
    width: float | None = None,
    resolution: str | int | tuple[int, int] | None = None,
    classes: int | None = None,
) -> ModelSpec:
    """Read a model by zoo name or ``.toml`` path; an option replaces the file's value; raises SpecError."""
    return describe(name_or_path, width=width, resolution=resolution, classes=classes).spec


def describe(
    name_or_path: str | Path,
    *,
    width: float | None = None,
    resolution: str | int | tuple[int, int] | None = None,
    classes: int | None = None,
) -> Description:
    """Do what ``load`` does, and say which fields were written down; raises SpecError."""
    options: dict[str, Any] = {"width": width, "classes": classes}
    if resolution is not None:
        options |= zip(SIZE_FIELDS, parse_resolution(resolution), strict=True)
    given = {key: value for key, value in options.items() if value is not None}
    text, source = _read(str(name_or_path))
    spec = replace(from_toml(text, source), **given)
    return Description(spec, frozenset({*given, *written_fields(text)}))


def _read(name_or_path: str) -> tuple[str, str]:
    """Return the description's text and what to call it in messages."""
    if not name_or_path.endswith(".toml"):
        return _read_zoo(name_or_path), name_or_path
    try:
        with open(name_or_path, "rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{name_or_path}: cannot be read: {error.strerror}") from None
    if len(data) > MAXIMUM_FILE_BYTES:
        raise SpecError(f"{name_or_path}: larger than {MAXIMUM_FILE_BYTES} bytes; this is not a model description")
    if not data.strip():
        raise SpecError(f'{name_or_path}: empty; write at least family = "classifier" (or "detector", "segmenter")')
    try:
        return data.decode("utf-8"), name_or_path
    except UnicodeDecodeError as error:
        raise SpecError(f"{name_or_path}: not UTF-8 text (byte {error.start})") from None


def _read_zoo(name: str) -> str:
    known = available()
    if name not in known:
        hint = nearest(name, known)
        raise SpecError(f'unknown model "{name}"{hint}; give a .toml file or one of {", ".join(known)}')
    return files("mnv2c.spec").joinpath("zoo", f"{name}.toml").read_text("utf-8")
