"""THE number types: what NumPy, TVM, ONNX and ``NAME.json`` call them, what C does, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.errors import CompilerError


@dataclass(frozen=True)
class DType:
    """A number type; ``c_type`` is empty for one that no input or output of a library has."""

    name: str
    bytes: int
    c_type: str = ""


FLOAT32 = DType("float32", 4, "float")

DTYPES = {
    dtype.name: dtype
    for dtype in (
        DType("bool", 1),
        DType("int8", 1),
        DType("uint8", 1, "uint8_t"),
        DType("int16", 2),
        DType("uint16", 2),
        DType("int32", 4, "int32_t"),
        DType("uint32", 4),
        DType("int64", 8, "int64_t"),
        DType("uint64", 8),
        DType("float16", 2),
        FLOAT32,
        DType("float64", 8),
    )
}
"""By name."""

COMPUTED = FLOAT32
"""What chains compute with."""


def number_type(name: str) -> DType:
    """Return the type of that name; CompilerError for one that no tensor has."""
    if name not in DTYPES:
        raise CompilerError(f"{name} is no type of tensors ({', '.join(DTYPES)})")
    return DTYPES[name]
