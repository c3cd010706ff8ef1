"""``--input-shape``: what the user says of the inputs of a file that leaves their height and width open."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from mnv2c.errors import UserError
from mnv2c.from_onnx.limits import MAXIMUM_ELEMENTS, MAXIMUM_RANK
from mnv2c.from_onnx.naming import quoted

if TYPE_CHECKING:
    import onnx

Given: TypeAlias = "str | Sequence[int] | Sequence[str] | Mapping[str, Sequence[int]] | None"
"""One shape as text or numbers, for the only input; several texts ``NAME=1,3,224,224``; or shapes by name."""

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shapes by the name of the input; that of the only one may be called ""."""

EXAMPLE = "1,3,224,224"


def parse_shapes(given: Given) -> Shapes:
    """Return what the user gave as shapes by name; UserError, naming the option, for what is no shape."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        entries = [(str(name), _numbers(extents)) for name, extents in given.items()]
    elif isinstance(given, str):
        entries = [_entry(given)]
    elif all(isinstance(entry, str) for entry in given):
        entries = [_entry(str(entry)) for entry in given]
    else:
        entries = [("", _numbers(given))]
    shapes = dict(entries)
    if len(shapes) < len(entries):
        twice = next(name for index, (name, _) in enumerate(entries) if name in dict(entries[:index]))
        raise UserError(f"--input-shape is given twice for {_called(twice)}; keep one of them")
    for shape in shapes.values():
        _check(shape)
    return shapes


def _check(shape: tuple[int, ...]) -> None:
    text = ",".join(map(str, shape[: MAXIMUM_RANK + 1]))
    if len(shape) > MAXIMUM_RANK:
        raise UserError(f"--input-shape {text},…: {len(shape)} dimensions; at most {MAXIMUM_RANK} are supported")
    if min(shape) < 1:
        raise UserError(f"--input-shape {text}: every dimension is at least 1")
    if math.prod(shape) > MAXIMUM_ELEMENTS:
        raise UserError(f"--input-shape {text}: more than {MAXIMUM_ELEMENTS:,} elements")


def _entry(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, extents = text.rpartition("=")
    if not re.fullmatch(r"\s*[0-9]{1,12}(\s*[,x]\s*[0-9]{1,12})*\s*", extents):
        raise UserError(f"--input-shape {quoted(text)}: give numbers, as {EXAMPLE} or NAME={EXAMPLE}")
    return name, tuple(int(extent) for extent in re.split(r"[,x]", extents))


def _numbers(extents: object) -> tuple[int, ...]:
    numbers = tuple(extents) if isinstance(extents, Sequence) and not isinstance(extents, str) else ()
    if not numbers or not all(type(extent) is int for extent in numbers):
        raise UserError(f"input_shape {str(extents)[:80]!r}: give whole numbers, as ({EXAMPLE.replace(',', ', ')})")
    return numbers


def _called(name: str) -> str:
    return f"input {quoted(name)}" if name else "the input"


def set_shapes(inputs: Sequence[onnx.ValueInfoProto], shapes: Shapes) -> bool:
    """Write ``shapes`` into the inputs; return whether there were any.

    What an input calls by a name ("H") has the same extent wherever another one does. UserError for an input that does
    not exist, or whose fixed dimensions are others.
    """
    symbols: dict[str, int] = {}
    for name, shape in shapes.items():
        _set(_chosen(inputs, name), shape, symbols)
    for value in inputs if symbols else ():
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in symbols:
                dimension.dim_value = symbols[dimension.dim_param]
    return bool(shapes)


def _chosen(inputs: Sequence[onnx.ValueInfoProto], name: str) -> onnx.ValueInfoProto:
    names = [value.name for value in inputs]
    listed = ", ".join(map(quoted, names[:8])) + (", …" if len(names) > 8 else "")
    if not name and len(names) != 1:
        raise UserError(f"--input-shape: say for which input, as {names[0]}={EXAMPLE}; the model has {listed}")
    found = next((value for value in inputs if value.name == (name or names[0])), None)
    if found is None:
        raise UserError(f"--input-shape: there is no input {quoted(name)}; the model has {listed}")
    return found


def _set(value: onnx.ValueInfoProto, shape: tuple[int, ...], symbols: dict[str, int]) -> None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        for _ in shape:
            tensor.shape.dim.add()
    stated = tensor.shape.dim
    text = ",".join(map(str, shape))
    if len(stated) != len(shape):
        raise UserError(f"--input-shape {text}: input {quoted(value.name)} has {len(stated)} dimensions")
    for axis, (dimension, extent) in enumerate(zip(stated, shape, strict=True)):
        if dimension.HasField("dim_value") and dimension.dim_value > 0 and dimension.dim_value != extent:
            raise UserError(
                f"--input-shape {text}: dimension {axis} of input {quoted(value.name)} is fixed to "
                f"{dimension.dim_value} in the file"
            )
        symbol = dimension.dim_param
        if symbol and symbols.setdefault(symbol, extent) != extent:
            raise UserError(
                f"--input-shape {text}: {quoted(symbol)}, dimension {axis} of input {quoted(value.name)}, is already "
                f"{symbols[symbol]}"
            )
        dimension.dim_value = extent
